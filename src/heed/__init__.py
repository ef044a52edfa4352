"""Sequence-to-sequence translation with attention that can be seen, measured and trusted."""
