"""Phoneme and word error rates, as papers on grapheme-to-phoneme conversion report them (Bisani and Ney 2008)."""

from collections.abc import Sequence
from typing import NamedTuple

from heed.metrics.bleu import Further, check_pairs

LANGUAGE = "phonemes"
"""The target language of a corpus whose targets are phonemes, separated by spaces."""


class ErrorRates(NamedTuple):
    """Error rates in percent. Lower is better; `per` can exceed 100."""

    per: float
    """Phonemes to insert, delete or replace, as a share of all phonemes of the references."""
    wer: float
    """The share of words whose pronunciation equals none of the references."""


def error_rates(*, hypotheses: Sequence[str], references: Sequence[str], further: Further = ()) -> ErrorRates:
    """Compare each pronunciation with the nearest of its references.

    If two references are equally near, the first one counts.

    Args:
        hypotheses: the pronunciations, as phonemes separated by white space.
        references: a reference for each pronunciation.
        further: additional lists of references, with None for a pronunciation that has no further one.

    Raises:
        UserError: as `check_pairs`.
    """
    check_pairs(hypotheses, references)
    edits = phonemes = wrong = 0
    for hypothesis, *several in zip(hypotheses, references, *further, strict=True):
        written = hypothesis.split()
        spoken = [reference.split() for reference in several if reference is not None]
        distances = [edit_distance(written, reference) for reference in spoken]
        distance = min(distances)
        nearest = spoken[distances.index(distance)]
        edits, phonemes, wrong = edits + distance, phonemes + len(nearest), wrong + (distance > 0)
    return ErrorRates(100 * edits / max(phonemes, 1), 100 * wrong / len(hypotheses))


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """The smallest number of insertions, deletions and replacements between two sequences (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for length, unit in enumerate(one, start=1):
        diagonal, row[0] = row[0], length
        for place, target in enumerate(other, start=1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (unit != target))
    return row[-1]
