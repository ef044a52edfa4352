"""The grammar that writes the embedded English-French corpus, with its word alignments."""
