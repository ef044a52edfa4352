"""Text that was cut into subwords before it came to heed, whose scores would be of pieces and not of words."""

from collections.abc import Callable, Sequence

from heed.text.subwords import SPACE
from heed.text.words import split_words

ENOUGH = 0.01
"""The share of words with a mark from which on a text counts as cut; in other text the marks do not occur."""

LINES = 1000

MARKS: dict[str, Callable[[str], bool]] = {
    "@@": lambda word: word.endswith("@@") and len(word) > 2,
    SPACE: lambda word: word.startswith(SPACE),
    "##": lambda word: word.startswith("##") and word[2:].isalpha(),
    "￭": lambda word: word.startswith("￭") or word.endswith("￭"),
    "</w>": lambda word: word.endswith("</w>"),
}
"""The marks of subword-nmt, SentencePiece, WordPiece, OpenNMT's tokenizer and older releases of subword-nmt."""

JOIN = {
    "@@": "sed -E 's/@@ //g; s/@@$//'",
    SPACE: "SentencePiece's spm_decode",
    "##": "sed -E 's/ ##//g'",
    "￭": "sed -E 's/ ?￭ ?//g'",
    "</w>": "sed -E 's/ //g; s|</w>| |g; s/ $//'",
}
"""How the pieces of each are joined."""


def subword_mark(lines: Sequence[str]) -> str | None:
    """The mark that tells pieces of words apart from words, one of `MARKS`, if lines have it.

    The first thousand lines are looked through.
    """
    words = [word for line in lines[:LINES] for word in split_words(line)]
    counts = {mark: sum(map(is_marked, words)) for mark, is_marked in MARKS.items()}
    mark = max(counts, key=lambda each: counts[each])
    return mark if words and counts[mark] > ENOUGH * len(words) else None


def mark_note(name: str, mark: str) -> str:
    """What a person should know of a text that was cut."""
    return f"{name} is cut into subwords already ({mark}): scores are of its pieces; join them first with {JOIN[mark]}"
