"""What the splits of a corpus are fit for: counted as a value, and shown as a table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from heed.data.cleaning import Report, empty
from heed.data.corpus import Pairs


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
class Summary:
    """The splits by name, why pairs of the training split were dropped, and what else a person should know."""

    splits: Mapping[str, SplitSummary]
    dropped: Mapping[str, int]
    notes: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` takes them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Summary":
        """What `to_dict` gave."""
        splits = {name: SplitSummary(**split) for name, split in values["splits"].items()}
        return cls(splits, values["dropped"], tuple(values["notes"]))


def leakage(pairs: Pairs, train: Pairs) -> tuple[int, int]:
    """How many of the sources, and how many of the whole pairs, are in the training split too.

    The training split is read once; memory has the sources and pairs of the other one.
    """
    own = list(zip(pairs.src, pairs.tgt, strict=True))
    own_sources, own_pairs = set(pairs.src), set(own)
    sources: set[str] = set()
    both: set[tuple[str, str]] = set()
    for pair in zip(train.src, train.tgt, strict=True):
        if pair[0] in own_sources:
            sources.add(pair[0])
            if pair in own_pairs:
                both.add(pair)
    return sum(src in sources for src in pairs.src), sum(pair in both for pair in own)


def summarise(report: Report, splits: Mapping[str, Pairs], unk_rates: Mapping[str, tuple[float, float]]) -> Summary:
    """Count the splits, of which `train` was cleaned as `report` says.

    A split that `unk_rates` lacks has no share of `<unk>`.
    """
    return Summary(
        {name: _split(report, splits, unk_rates.get(name, (None, None)), name) for name in splits},
        dict(report.dropped),
    )


def table(summary: Summary) -> str:
    """The splits side by side, and below them what should worry a person."""
    grid = Table("", box=SIMPLE_HEAD)
    for name in summary.splits:
        grid.add_column(name, justify="right")
    for label, cells in _rows(summary):
        grid.add_row(label, *(cells.get(name, "–") for name in summary.splits))
    text = StringIO()
    Console(file=text, width=100, color_system=None, force_terminal=False, force_jupyter=False).print(grid)
    lines = [line.rstrip() for line in text.getvalue().splitlines() if line.strip()]
    return "\n".join([*lines, *_worries(summary), *summary.notes])


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
