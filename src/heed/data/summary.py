"""Statistics of the splits of a corpus, as values and as a table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import StringIO
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from heed.data.cleaning import Report, empty
from heed.data.corpus import Pairs
from heed.data.duplicates import stripped
from heed.data.readings import readings


@dataclass(frozen=True)
class SplitSummary:
    """Counts of pairs in one split; a count that was not computed is None."""

    read: int
    kept: int
    empty: int
    """Kept pairs with an empty side. Splits other than train keep them, so that line numbers stay the same."""
    src_in_train: int | None = None
    pair_in_train: int | None = None
    src_unk: float | None = None
    """The share of `<unk>` among source subwords."""
    tgt_unk: float | None = None


@dataclass(frozen=True)
class PartSummary:
    """What a part of a mix gives: counts of pairs, and how many readings of them an epoch has."""

    read: int
    dropped: Mapping[str, int]
    kept: int
    weight: float
    readings: int
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Summary:
    """The splits by name, the number of dropped training pairs by reason, and notes.

    `parts` are those of a mix, by name.
    """

    splits: Mapping[str, SplitSummary]
    dropped: Mapping[str, int]
    notes: Sequence[str] = ()
    parts: Mapping[str, PartSummary] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The summary as plain values, as `from_dict` takes them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Summary":
        """The inverse of `to_dict`."""
        splits = {name: SplitSummary(**split) for name, split in values["splits"].items()}
        parts = {name: PartSummary(**{**part, "notes": tuple(part["notes"])}) for name, part in values["parts"].items()}
        return cls(splits, values["dropped"], tuple(values["notes"]), parts)


def leakage(pairs: Pairs, train: Pairs) -> tuple[int, int]:
    """The numbers of sources and of whole pairs that are also in the training split.

    The training split is read once; only the sources and pairs of the other split are in memory.
    """
    own = list(stripped(pairs))
    own_sources, own_pairs = {src for src, _ in own}, set(own)
    sources: set[str] = set()
    both: set[tuple[str, str]] = set()
    for pair in stripped(train):
        if pair[0] in own_sources:
            sources.add(pair[0])
            if pair in own_pairs:
                both.add(pair)
    return sum(src in sources for src, _ in own), sum(pair in both for pair in own)


def summarise(report: Report, splits: Mapping[str, Pairs], unk_rates: Mapping[str, tuple[float, float]]) -> Summary:
    """Count the splits; `report` is the cleaning report of `train`.

    A split that is not in `unk_rates` has no share of `<unk>`.
    """
    return Summary(
        {name: _split(report, splits, unk_rates.get(name, (None, None)), name) for name in splits},
        dict(report.dropped),
        parts=_parts(report, splits["train"]) if report.parts else {},
    )


def table(summary: Summary) -> str:
    """A table with the splits side by side, then one of the parts of a mix, followed by warnings and notes."""
    parts = [*_grid(summary.parts, _part_rows(summary.parts)), *_part_notes(summary)] if summary.parts else []
    return "\n".join([*_grid(summary.splits, _rows(summary)), *parts, *_worries(summary), *summary.notes])


def _grid(columns: Iterable[str], rows: Iterable[tuple[str, Mapping[str, str]]]) -> list[str]:
    """The lines of a table: the label of each row and its cells by column."""
    names = list(columns)
    grid = Table("", box=SIMPLE_HEAD)
    for name in names:
        grid.add_column(name, justify="right")
    for label, cells in rows:
        grid.add_row(label, *(cells.get(name, "–") for name in names))
    text = StringIO()
    width = max(100, 30 + 20 * len(names))
    Console(file=text, width=width, color_system=None, force_terminal=False, force_jupyter=False).print(grid)
    return [line.rstrip() for line in text.getvalue().splitlines() if line.strip()]


def _parts(report: Report, train: Pairs) -> dict[str, PartSummary]:
    dealt = readings(train)
    counts = dealt.counts() if dealt else []
    return {
        part.name: PartSummary(one.read, dict(one.dropped), one.kept, part.weight, count, tuple(part.notes))
        for part, one, count in zip(train.parts, report.parts, counts, strict=True)
    }


def _part_rows(parts: Mapping[str, PartSummary]) -> Iterator[tuple[str, dict[str, str]]]:
    yield "pairs read", {name: str(part.read) for name, part in parts.items()}
    for reason in next(iter(parts.values())).dropped:
        yield f"  {reason}", {name: str(part.dropped[reason]) for name, part in parts.items()}
    yield "pairs kept", {name: str(part.kept) for name, part in parts.items()}
    yield "weight", {name: f"{part.weight:g}" for name, part in parts.items()}
    yield "readings in an epoch", {name: str(part.readings) for name, part in parts.items()}


def _part_notes(summary: Summary) -> Iterator[str]:
    for name, part in summary.parts.items():
        yield from (f"{name}: {note}" for note in part.notes)


def _split(
    report: Report, splits: Mapping[str, Pairs], rates: tuple[float, float] | tuple[None, None], name: str
) -> SplitSummary:
    pairs = splits[name]
    if name == "train":
        return SplitSummary(report.read, len(pairs), 0, None, None, *rates)
    return SplitSummary(len(pairs), len(pairs), empty(pairs), *leakage(pairs, splits["train"]), *rates)


def _rows(summary: Summary) -> Iterator[tuple[str, dict[str, str]]]:
    """The label of each row and its cells by split."""
    splits = summary.splits
    yield "pairs read", {name: str(split.read) for name, split in splits.items()}
    for reason, count in summary.dropped.items():
        others = {name: f"{split.empty} kept" for name, split in splits.items()} if reason == "empty" else {}
        yield f"  {reason}", others | {"train": str(count)}
    yield "pairs kept", {name: str(split.kept) for name, split in splits.items()}
    yield "source also in train", _known({name: split.src_in_train for name, split in splits.items()}, "d")
    yield "pair also in train", _known({name: split.pair_in_train for name, split in splits.items()}, "d")
    yield "<unk> in source subwords", _known({name: split.src_unk for name, split in splits.items()}, ".2%")
    yield "<unk> in target subwords", _known({name: split.tgt_unk for name, split in splits.items()}, ".2%")


def _known(values: Mapping[str, float | None], style: str) -> dict[str, str]:
    return {name: format(value, style) for name, value in values.items() if value is not None}


def _worries(summary: Summary) -> Iterator[str]:
    for name, split in summary.splits.items():
        if split.pair_in_train:
            shared = f"{split.pair_in_train} of {split.kept} pairs are also in train"
            yield f"{name}: {shared}, so scores on it are too high"
    unknown = {name: max(split.src_unk or 0, split.tgt_unk or 0) for name, split in summary.splits.items()}
    worst = max(unknown, key=lambda name: unknown[name], default=None)
    if worst is not None and unknown[worst] > 0.01:
        yield (
            f"{worst}: {unknown[worst]:.1%} of the subwords of one side are <unk>, which a model cannot translate; "
            "try subwords.byte_fallback=true, or subwords=unigram instead of word"
        )
