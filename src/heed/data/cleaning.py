"""Drop and count pairs that are not suitable for training."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import starmap

import numpy as np
from jaxtyping import UInt8

from heed.data.corpus import Pairs
from heed.data.duplicates import repeated
from heed.errors import UserError

# "Run!" may be translated as "Prenez vos jambes à votre cou !": added to both lengths, so that short pairs pass.
RATIO_MARGIN = 10

HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
SYLLABLE = re.compile("[\u3040-\u30ff\uac00-\ud7a3]")

NONE = 5
"""The number for a pair without any of the five faults."""


@dataclass(frozen=True)
class Report:
    """The numbers of training pairs that were read, kept, and dropped for each reason.

    `parts` has the same for each part of a mix.
    """

    read: int
    dropped: Mapping[str, int]
    kept: int
    parts: Sequence["Report"] = ()


def clean(
    pairs: Pairs,
    max_len: int = 100,
    max_ratio: float = 3.0,
    max_characters: int = 1000,
    keep_duplicates: bool = False,
) -> tuple[Pairs, Report]:
    """The pairs to train on, with their gold alignments; of duplicates the first one is kept, or all.

    Only for training: validation and test splits are scored unchanged, line by line. Memory has a flag for each pair
    and, while this runs, the hashes of `repeated`.

    Args:
        max_len: the largest number of white-space words on either side.
        max_characters: the largest number of characters, which limits text without spaces, such as Chinese.
        max_ratio: the largest ratio of the longer to the shorter side, in `letters`, after adding ten to both.
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
    kept = pairs.select(faults == NONE)
    report = _report(pairs, reasons, faults)
    if not len(kept):
        raise UserError(f"all {report.read} pairs were dropped ({_listed(report)}); check the training files")
    return kept, report


SCORED = "in valid or test"
"""Why pairs of a mix were left out before it was cleaned."""


def _report(pairs: Pairs, reasons: Sequence[str], faults: UInt8[np.ndarray, "pairs"]) -> Report:
    if not pairs.parts:
        return _counted(reasons, faults)
    numbers = np.asarray(pairs.part)
    scored = sum(part.scored for part in pairs.parts)
    each = [_counted(reasons, faults[numbers == number], part.scored) for number, part in enumerate(pairs.parts)]
    return replace(_counted(reasons, faults, scored), parts=each)


def _counted(reasons: Sequence[str], faults: UInt8[np.ndarray, "some"], scored: int | None = None) -> Report:
    counts = np.bincount(faults, minlength=NONE + 1).tolist()
    before = {} if scored is None else {SCORED: scored}
    dropped = before | dict(zip(reasons, counts, strict=False))
    return Report(len(faults) + (scored or 0), dropped, counts[NONE])


def empty(pairs: Pairs) -> int:
    """The number of pairs with only white space on one side."""
    return sum(not (src.strip() and tgt.strip()) for src, tgt in zip(pairs.src, pairs.tgt, strict=True))


def letters(text: str) -> int:
    """The length of a text in letters of an alphabet, so that lengths can be compared across scripts.

    A Chinese character counts as three letters, a kana or a Korean syllable as two. With these factors, parallel text
    in English and in these languages has similar lengths.
    """
    return len(text) if text.isascii() else len(text) + 2 * len(HAN.findall(text)) + len(SYLLABLE.findall(text))


def _fault(max_len: int, max_ratio: float, max_characters: int) -> Callable[[str, str, int], int]:
    """A function that returns the index of a pair's fault among the reasons, or NONE for a good pair."""

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
