"""Pairs that are not fit for training are dropped and counted."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import compress

from heed.data.corpus import Pairs
from heed.errors import UserError

# "Run!" may well be "Prenez vos jambes à votre cou !": added to both lengths, so that short pairs are judged mildly.
RATIO_MARGIN = 10


@dataclass(frozen=True)
class Report:
    """Pairs of the training split read and kept, and how many were dropped for each reason."""

    read: int
    dropped: Mapping[str, int]
    kept: int


def clean(pairs: Pairs, max_len: int = 100, max_ratio: float = 3.0, max_characters: int = 1000) -> tuple[Pairs, Report]:
    """The pairs worth training on, gold alignments along with them; of duplicates the first stays.

    `max_len` counts white-space words of either side, `max_characters` holds where there are none, as in Chinese.
    `max_ratio` is of the longer side to the shorter one, in characters, ten added to both.
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
        "duplicate",
    ]
    faults = list(_faults(pairs, max_len, max_ratio, max_characters))
    counts = Counter(faults)
    kept = _select(pairs, [fault is None for fault in faults])
    report = Report(len(pairs), {reason: counts[place] for place, reason in enumerate(reasons)}, len(kept))
    if not len(kept):
        raise UserError(f"dropped all {report.read} pairs ({_listed(report)}); check the training files")
    return kept, report


def empty(pairs: Pairs) -> int:
    """Pairs with nothing but white space on either side."""
    return sum(not (src.strip() and tgt.strip()) for src, tgt in zip(pairs.src, pairs.tgt, strict=True))


def _faults(pairs: Pairs, max_len: int, max_ratio: float, max_characters: int) -> Iterator[int | None]:
    """For each pair the place of its fault among the reasons, None for a good pair."""
    seen: set[tuple[str, str]] = set()
    for pair in zip(pairs.src, pairs.tgt, strict=True):
        shorter, longer = sorted(len(side.strip()) for side in pair)
        tests = (
            shorter == 0,
            max(len(side.split()) for side in pair) > max_len,
            longer > max_characters,
            longer + RATIO_MARGIN > max_ratio * (shorter + RATIO_MARGIN),
            pair in seen,
        )
        seen.add(pair)
        yield tests.index(True) if any(tests) else None


def _select(pairs: Pairs, keep: list[bool]) -> Pairs:
    gold = None if pairs.gold is None else list(compress(pairs.gold, keep))
    lines = None if gold is None else [number for number, kept in enumerate(keep, start=1) if kept]
    return Pairs(list(compress(pairs.src, keep)), list(compress(pairs.tgt, keep)), gold, lines)


def _listed(report: Report) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in report.dropped.items() if count)
