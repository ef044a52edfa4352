"""What a word of a line is."""


def split_words(line: str) -> list[str]:
    """The words of a line, as white space sets them apart."""
    return line.split()
