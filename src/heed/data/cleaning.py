"""What a corpus is fit for: pairs dropped from training, and every split counted before training begins."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from itertools import compress

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from heed.data.corpus import Pairs
from heed.data.encoded import Encoded
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


def leakage(pairs: Pairs, train: Pairs) -> tuple[int, int]:
    """How many of the sources, and how many of the whole pairs, are in the training split too."""
    sources, both = set(train.src), set(zip(train.src, train.tgt, strict=True))
    leaked_pairs = sum(pair in both for pair in zip(pairs.src, pairs.tgt, strict=True))
    return sum(src in sources for src in pairs.src), leaked_pairs


def table(report: Report, splits: Mapping[str, Pairs], encoded: Mapping[str, Encoded]) -> str:
    """The splits side by side, `train` cleaned as `report` says, and below them what should worry a person.

    A split that `encoded` lacks shows no share of `<unk>`.
    """
    leaks = {name: leakage(pairs, splits["train"]) for name, pairs in splits.items() if name != "train"}
    rates = {name: encoded[name].unk_rates for name in splits if name in encoded}
    grid = Table("", box=SIMPLE_HEAD)
    for name in splits:
        grid.add_column(name, justify="right")
    for label, cells in _rows(report, splits, leaks, rates):
        grid.add_row(label, *(cells.get(name, "–") for name in splits))
    text = StringIO()
    Console(file=text, width=100).print(grid)
    lines = [line.rstrip() for line in text.getvalue().splitlines() if line.strip()]
    return "\n".join([*lines, *_worries(splits, leaks, rates)])


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


def _rows(
    report: Report,
    splits: Mapping[str, Pairs],
    leaks: Mapping[str, tuple[int, int]],
    rates: Mapping[str, tuple[float, float]],
) -> Iterator[tuple[str, dict[str, str]]]:
    """The label of each row and its cells by split."""
    sizes = {name: str(len(pairs)) for name, pairs in splits.items()}
    yield "pairs read", sizes | {"train": str(report.read)}
    for reason, count in report.dropped.items():
        others = {name: f"{empty(pairs)} kept" for name, pairs in splits.items()} if reason == "empty" else {}
        yield f"  {reason}", others | {"train": str(count)}
    yield "pairs kept", sizes
    yield "source in train too", {name: str(sources) for name, (sources, _) in leaks.items()}
    yield "pair in train too", {name: str(both) for name, (_, both) in leaks.items()}
    yield "<unk> of source pieces", {name: f"{src:.2%}" for name, (src, _) in rates.items()}
    yield "<unk> of target pieces", {name: f"{tgt:.2%}" for name, (_, tgt) in rates.items()}


def _worries(
    splits: Mapping[str, Pairs], leaks: Mapping[str, tuple[int, int]], rates: Mapping[str, tuple[float, float]]
) -> Iterator[str]:
    for name, (_, both) in leaks.items():
        if both:
            yield f"{name}: {both} of {len(splits[name])} pairs are in train too; its scores will flatter the model"
    worst = max(rates, key=lambda name: max(rates[name]), default=None)
    if worst is not None and max(rates[worst]) > 0.01:
        yield (
            f"{worst}: {max(rates[worst]):.1%} of the pieces of one side are <unk>, which no model can translate; "
            "try subwords.byte_fallback=true, or subwords=unigram in the place of word"
        )
