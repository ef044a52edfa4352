"""Drop and count pairs that are not suitable for training."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from heed.data.corpus import Pairs
from heed.errors import UserError

# "Run!" may be translated as "Prenez vos jambes à votre cou !": added to both lengths, so that short pairs pass.
RATIO_MARGIN = 10

HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
SYLLABLE = re.compile("[\u3040-\u30ff\uac00-\ud7a3]")


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

    Only for training: validation and test splits are scored unchanged, line by line.

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
    faults = list(_faults(pairs, max_len, max_ratio, max_characters, keep_duplicates))
    kept = pairs.select([fault is None for fault in faults])
    report = _report(pairs, reasons, faults)
    if not len(kept):
        raise UserError(f"all {report.read} pairs were dropped ({_listed(report)}); check the training files")
    return kept, report


SCORED = "in valid or test"
"""Why pairs of a mix were left out before it was cleaned."""


def _report(pairs: Pairs, reasons: Sequence[str], faults: Sequence[int | None]) -> Report:
    if not pairs.parts:
        return _counted(reasons, faults)
    by_part: list[list[int | None]] = [[] for _ in pairs.parts]
    for number, fault in zip(pairs.part, faults, strict=True):
        by_part[number].append(fault)
    scored = sum(part.scored for part in pairs.parts)
    each = [_counted(reasons, found, part.scored) for part, found in zip(pairs.parts, by_part, strict=True)]
    return replace(_counted(reasons, faults, scored), parts=each)


def _counted(reasons: Sequence[str], faults: Sequence[int | None], scored: int | None = None) -> Report:
    counts = Counter(faults)
    before = {} if scored is None else {SCORED: scored}
    dropped = before | {reason: counts[place] for place, reason in enumerate(reasons)}
    return Report(len(faults) + (scored or 0), dropped, counts[None])


def empty(pairs: Pairs) -> int:
    """The number of pairs with only white space on one side."""
    return sum(not (src.strip() and tgt.strip()) for src, tgt in zip(pairs.src, pairs.tgt, strict=True))


def letters(text: str) -> int:
    """The length of a text in letters of an alphabet, so that lengths can be compared across scripts.

    A Chinese character counts as three letters, a kana or a Korean syllable as two. With these factors, parallel text
    in English and in these languages has similar lengths.
    """
    return len(text) if text.isascii() else len(text) + 2 * len(HAN.findall(text)) + len(SYLLABLE.findall(text))


def _faults(
    pairs: Pairs, max_len: int, max_ratio: float, max_characters: int, keep_duplicates: bool
) -> Iterator[int | None]:
    """For each pair the index of the reason to drop it, or None to keep it."""
    seen: set[tuple[str, str]] = set()
    for pair in zip(pairs.src, pairs.tgt, strict=True):
        sides = [side.strip() for side in pair]
        shorter, longer = sorted(map(letters, sides))
        tests = (
            not all(sides),
            max(len(side.split()) for side in sides) > max_len,
            max(map(len, sides)) > max_characters,
            longer + RATIO_MARGIN > max_ratio * (shorter + RATIO_MARGIN),
            not keep_duplicates and pair in seen,
        )
        seen.add(pair)
        yield tests.index(True) if any(tests) else None


def _listed(report: Report) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in report.dropped.items() if count)
