"""Scores of pronunciations, as papers on grapheme-to-phoneme conversion report them (Bisani and Ney 2008)."""

from collections.abc import Sequence
from typing import NamedTuple

from heed.metrics.bleu import Further, check_pairs

LANGUAGE = "phonemes"
"""What a corpus names its target language if its targets are phonemes with spaces between them."""


class ErrorRates(NamedTuple):
    """In percent; lower is better, and `per` can exceed 100."""

    per: float
    """Phonemes to insert, delete or replace, of all phonemes of the references."""
    wer: float
    """Words whose pronunciation is none of the references."""


def error_rates(*, hypotheses: Sequence[str], references: Sequence[str], further: Further = ()) -> ErrorRates:
    """Phoneme and word error rate of pronunciations, each against the nearest of its references.

    `further` are other references, each a list with one for every pronunciation, or None where there is none. Of
    references that are equally near the first counts.
    """
    check_pairs(hypotheses, references)
    edits = phonemes = wrong = 0
    for hypothesis, *several in zip(hypotheses, references, *further, strict=True):
        written = hypothesis.split()
        each = [reference.split() for reference in several if reference is not None]
        distance, nearest = min(((edit_distance(written, one), one) for one in each), key=lambda pair: pair[0])
        edits, phonemes, wrong = edits + distance, phonemes + len(nearest), wrong + (distance > 0)
    return ErrorRates(100 * edits / max(phonemes, 1), 100 * wrong / len(hypotheses))


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """The fewest insertions, deletions and replacements that make one sequence the other (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for length, unit in enumerate(one, start=1):
        diagonal, row[0] = row[0], length
        for place, target in enumerate(other, start=1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (unit != target))
    return row[-1]
