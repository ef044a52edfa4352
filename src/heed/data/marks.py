"""Detect text that is already divided into subwords, or tokenised.

Scores on such text would be scores of subwords or of tokens, which cannot be compared with scores on plain text.
"""

from collections.abc import Callable, Iterator, Sequence

from heed.text.subwords import SPACE
from heed.text.words import split_words

ENOUGH = 0.01
"""The share of words with a subword mark above which a text counts as divided; other text does not have them."""

LINES = 1000

FEWEST = 10
"""The smallest number of full stops at line ends that is needed to decide whether a text is tokenised."""

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
"""How to join the subwords of each mark."""


def subword_mark(lines: Sequence[str]) -> str | None:
    """The subword mark of the lines, one of `MARKS`, or None.

    Only the first thousand lines are checked.
    """
    words = [word for line in lines[:LINES] for word in split_words(line)]
    counts = {mark: sum(map(is_marked, words)) for mark, is_marked in MARKS.items()}
    mark = max(counts, key=lambda each: counts[each])
    return mark if words and counts[mark] > ENOUGH * len(words) else None


def mark_note(name: str, mark: str) -> str:
    """A warning about a text that is divided into subwords."""
    return f"{name} is already divided into subwords ({mark}), so scores are not of words; join them with {JOIN[mark]}"


def is_tokenised(lines: Sequence[str]) -> bool:
    """Whether most of the full stops at line ends follow a space.

    Only the first thousand lines are checked.
    """
    ends = [line.rstrip() for line in lines[:LINES] if line.rstrip().endswith(".")]
    return len(ends) >= FEWEST and 2 * sum(line.endswith(" .") for line in ends) > len(ends)


def notes(name: str, lines: Sequence[str], scored: bool = True) -> Iterator[str]:
    """Warnings about a text that is divided into subwords or tokenised; `name` is the name of the text.

    `scored` says whether translations are compared with the text, which is the case for targets.
    """
    if mark := subword_mark(lines):
        yield mark_note(name, mark)
    elif is_tokenised(lines):
        why = "BLEU is not comparable with that of plain text" if scored else "plain text will be translated worse"
        yield f"{name} is tokenised (there is a space before full stops), so {why}; detokenise it first"
