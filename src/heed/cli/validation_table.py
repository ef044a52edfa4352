"""The table of the validations of a run, printed line by line."""

from collections.abc import Sequence

from heed.metrics.scores import metrics
from heed.training.reporting import Validated

WIDTHS = {"loss": 10, "perplexity": 10}
"""Widths of the columns that need more than six characters or their title. These columns come first."""


def columns(scores: Sequence[str]) -> list[str]:
    """The scores in the order of their columns."""
    return [*(name for name in WIDTHS if name in scores), *(name for name in scores if name not in WIDTHS)]


def head(scores: Sequence[str]) -> str:
    """The titles of the columns."""
    titles = [f"{_title(name):>{_width(name)}}" for name in scores]
    return "  ".join(["    step", "epoch", "train loss", *titles, "    time"])


def line(validated: Validated, scores: Sequence[str]) -> str:
    """The values of one validation."""
    cells = [_cell(name, validated.scores.get(name)) for name in scores]
    began = [f"{validated.step:8,}", f"{validated.epoch:5.1f}", f"{validated.train_loss:10.3f}"]
    return "  ".join([*began, *cells, f"{duration(validated.seconds):>8}"])


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as 0:01:05."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _title(name: str) -> str:
    return "valid loss" if name == "loss" else metrics()[name].title


def _width(name: str) -> int:
    return WIDTHS.get(name, max(6, len(_title(name))))


def _cell(name: str, value: float | None) -> str:
    if value is None:
        shown = "-"
    elif name == "perplexity":
        shown = f"{value:,.2f}" if value < 1e6 else f"{value:.2g}"
    else:
        shown = format(value, metrics()[name].format)
    return f"{shown:>{_width(name)}}"
