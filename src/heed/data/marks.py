"""Text that was cut before it came to heed: into subwords, or into words and punctuation.

Scores would then be of pieces, or of text that nobody writes so.
"""

from collections.abc import Callable, Iterator, Sequence

from heed.text.subwords import SPACE
from heed.text.words import split_words

ENOUGH = 0.01
"""The share of words with a mark from which on a text counts as cut; in other text the marks do not occur."""

LINES = 1000

FEWEST = 10
"""Full stops at the end of a line from which on a text can be said to be tokenised."""

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


def is_tokenised(lines: Sequence[str]) -> bool:
    """Whether a space stands before most of the full stops that end a line, which nobody types.

    The first thousand lines are looked through.
    """
    ends = [line.rstrip() for line in lines[:LINES] if line.rstrip().endswith(".")]
    return len(ends) >= FEWEST and 2 * sum(line.endswith(" .") for line in ends) > len(ends)


def notes(name: str, lines: Sequence[str], scored: bool = True) -> Iterator[str]:
    """What a person should know of a text that was cut; `name` is what the text is called.

    `scored` says whether translations are compared with it, as with a target.
    """
    if mark := subword_mark(lines):
        yield mark_note(name, mark)
    elif is_tokenised(lines):
        why = "BLEU of it is not that of plain text" if scored else "plain text will be translated worse"
        yield f"{name} is tokenised (a space before the full stops), as nobody types it: {why}; detokenise it first"
