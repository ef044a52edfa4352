"""What the splits of a corpus are fit for: counted as a value, and shown as a table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import StringIO
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from heed.data.cleaning import Report, empty
from heed.data.corpus import Pairs
from heed.data.encoded import Encoded
from heed.data.readings import readings


@dataclass(frozen=True)
class SplitSummary:
    """Counts of pairs in one split; a count that was not made is None."""

    read: int
    kept: int
    empty: int
    """Kept pairs with nothing on one side; of a split other than train, which keeps them so that line numbers hold."""
    src_in_train: int | None = None
    pair_in_train: int | None = None
    src_unk: float | None = None
    """The share of `<unk>` among source pieces."""
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
    """The splits by name, why pairs of the training split were dropped, and what else a person should know.

    `parts` are those of a mix, by name.
    """

    splits: Mapping[str, SplitSummary]
    dropped: Mapping[str, int]
    notes: Sequence[str] = ()
    parts: Mapping[str, PartSummary] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` takes them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Summary":
        """What `to_dict` gave."""
        splits = {name: SplitSummary(**split) for name, split in values["splits"].items()}
        parts = {name: PartSummary(**{**part, "notes": tuple(part["notes"])}) for name, part in values["parts"].items()}
        return cls(splits, values["dropped"], tuple(values["notes"]), parts)


def leakage(pairs: Pairs, train: Pairs) -> tuple[int, int]:
    """How many of the sources, and how many of the whole pairs, are in the training split too."""
    sources, both = set(train.src), set(zip(train.src, train.tgt, strict=True))
    leaked_pairs = sum(pair in both for pair in zip(pairs.src, pairs.tgt, strict=True))
    return sum(src in sources for src in pairs.src), leaked_pairs


def summarise(report: Report, splits: Mapping[str, Pairs], encoded: Mapping[str, Encoded]) -> Summary:
    """Count the splits, of which `train` was cleaned as `report` says.

    A split that `encoded` lacks has no share of `<unk>`.
    """
    return Summary(
        {name: _split(report, splits, encoded.get(name), name) for name in splits},
        dict(report.dropped),
        parts=_parts(report, splits["train"]) if report.parts else {},
    )


def table(summary: Summary) -> str:
    """The splits side by side, then the parts of a mix, and below them what should worry a person."""
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


def _split(report: Report, splits: Mapping[str, Pairs], encoded: Encoded | None, name: str) -> SplitSummary:
    pairs = splits[name]
    rates = encoded.unk_rates if encoded is not None else (None, None)
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
    yield "source in train too", _known({name: split.src_in_train for name, split in splits.items()}, "d")
    yield "pair in train too", _known({name: split.pair_in_train for name, split in splits.items()}, "d")
    yield "<unk> of source pieces", _known({name: split.src_unk for name, split in splits.items()}, ".2%")
    yield "<unk> of target pieces", _known({name: split.tgt_unk for name, split in splits.items()}, ".2%")


def _known(values: Mapping[str, float | None], style: str) -> dict[str, str]:
    return {name: format(value, style) for name, value in values.items() if value is not None}


def _worries(summary: Summary) -> Iterator[str]:
    for name, split in summary.splits.items():
        if split.pair_in_train:
            shared = f"{split.pair_in_train} of {split.kept} pairs are in train too"
            yield f"{name}: {shared}; its scores will flatter the model"
    unknown = {name: max(split.src_unk or 0, split.tgt_unk or 0) for name, split in summary.splits.items()}
    worst = max(unknown, key=lambda name: unknown[name], default=None)
    if worst is not None and unknown[worst] > 0.01:
        yield (
            f"{worst}: {unknown[worst]:.1%} of the pieces of one side are <unk>, which no model can translate; "
            "try subwords.byte_fallback=true, or subwords=unigram in the place of word"
        )
