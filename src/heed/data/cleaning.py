"""Pairs that are not fit for training are dropped and counted."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import starmap

import numpy as np

from heed.data.corpus import Pairs
from heed.data.duplicates import repeated
from heed.errors import UserError

# "Run!" may well be "Prenez vos jambes à votre cou !": added to both lengths, so that short pairs are judged mildly.
RATIO_MARGIN = 10

HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
SYLLABLE = re.compile("[\u3040-\u30ff\uac00-\ud7a3]")

NONE = 5
"""The fault of a pair that has none of the five."""


@dataclass(frozen=True)
class Report:
    """Pairs of the training split read and kept, and how many were dropped for each reason."""

    read: int
    dropped: Mapping[str, int]
    kept: int


def clean(
    pairs: Pairs,
    max_len: int = 100,
    max_ratio: float = 3.0,
    max_characters: int = 1000,
    keep_duplicates: bool = False,
) -> tuple[Pairs, Report]:
    """The pairs worth training on, gold alignments along with them; of duplicates the first stays, or all.

    Memory has a flag of each pair while this lasts and afterwards, and on the way the hashes of `repeated`.

    `max_len` counts white-space words of either side, `max_characters` holds where there are none, as in Chinese.
    `max_ratio` is of the longer side to the shorter one, in letters (`letters`), ten added to both.
    For training only: a validation or test split is scored as it is, line for line.
    """
    if max_len < 1 or max_characters < 1 or max_ratio < 1:
        raise UserError(
            f"max_len={max_len}, max_characters={max_characters}, max_ratio={max_ratio}; expected 1 or more of each"
        )
    reasons = [
        "empty",
        f"over {max_len} words",
        f"over {max_characters} characters",
        f"length ratio over {max_ratio:g}",
        *([] if keep_duplicates else ["duplicate"]),
    ]
    duplicate = np.zeros(len(pairs), bool) if keep_duplicates else repeated(pairs)
    fault = _fault(max_len, max_ratio, max_characters)
    each = zip(pairs.src, pairs.tgt, duplicate.tobytes(), strict=True)
    faults = np.fromiter(starmap(fault, each), np.uint8, len(pairs))
    counts = np.bincount(faults, minlength=len(reasons)).tolist()
    kept = pairs.select(faults == NONE)
    report = Report(len(pairs), dict(zip(reasons, counts, strict=False)), len(kept))
    if not len(kept):
        raise UserError(f"dropped all {report.read} pairs ({_listed(report)}); check the training files")
    return kept, report


def empty(pairs: Pairs) -> int:
    """Pairs with nothing but white space on either side."""
    return sum(not (src.strip() and tgt.strip()) for src, tgt in zip(pairs.src, pairs.tgt, strict=True))


def letters(text: str) -> int:
    """The length of a text in letters of an alphabet, so that lengths compare across scripts.

    A Chinese character stands for about three of them, a kana or a Korean syllable for two: the sides of parallel text
    in English and each of these are then of like length.
    """
    return len(text) if text.isascii() else len(text) + 2 * len(HAN.findall(text)) + len(SYLLABLE.findall(text))


def _fault(max_len: int, max_ratio: float, max_characters: int) -> Callable[[str, str, int], int]:
    """What gives the place of a pair's fault among the reasons, NONE for a good pair."""

    def fault(src: str, tgt: str, duplicate: int) -> int:
        sides = src.strip(), tgt.strip()
        shorter, longer = sorted(map(letters, sides))
        tests = (
            not all(sides),
            max(len(side.split()) for side in sides) > max_len,
            max(map(len, sides)) > max_characters,
            longer + RATIO_MARGIN > max_ratio * (shorter + RATIO_MARGIN),
            bool(duplicate),
        )
        return tests.index(True) if any(tests) else NONE

    return fault


def _listed(report: Report) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in report.dropped.items() if count)
