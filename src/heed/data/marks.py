"""Text that was cut into subwords before it came to heed, whose scores would be of pieces and not of words."""

from collections.abc import Sequence

from heed.text.subwords import SPACE
from heed.text.words import split_words

ENOUGH = 0.01
"""The share of words with a mark from which on a text counts as cut; in other text the marks do not occur."""

LINES = 1000


def subword_mark(lines: Sequence[str]) -> str | None:
    """The mark of subword-nmt (`@@` at the end of a word) or of SentencePiece (`▁` at its beginning), if lines have it.

    The first thousand lines are looked through.
    """
    words = [word for line in lines[:LINES] for word in split_words(line)]
    counts = {
        "@@": sum(word.endswith("@@") and len(word) > 2 for word in words),
        SPACE: sum(word.startswith(SPACE) for word in words),
    }
    mark = max(counts, key=lambda each: counts[each])
    return mark if words and counts[mark] > ENOUGH * len(words) else None


def mark_note(name: str, mark: str) -> str:
    """What a person should know of a text that was cut."""
    join = "sed -E 's/@@ //g; s/@@$//'" if mark == "@@" else "SentencePiece's spm_decode"
    return f"{name} is cut into subwords already ({mark}): scores are of its pieces; join them first with {join}"
