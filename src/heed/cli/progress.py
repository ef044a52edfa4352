"""What a person sees at the terminal while a model learns."""

import math
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from heed.cli.streams import writing
from heed.cli.terminal import harmless_lines
from heed.data.summary import table
from heed.metrics.scores import metrics
from heed.training.reporting import (
    Begin,
    Outline,
    Profiled,
    Reporter,
    Resumed,
    StoppedEarly,
    Update,
    Validated,
    Validating,
)

REFRESHES = 4  # a second; drawn from the training loop, so that no thread takes time from it

WIDTHS = {"loss": 10, "perplexity": 10}
"""Columns wider than six characters or their title."""


class TerminalReporter(Reporter):
    """A line for every validation; at a terminal, below them, a bar with loss, tokens/s and the time left at most."""

    def __init__(self, bar: bool = True) -> None:
        self.console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        columns = (TextColumn("{task.completed:>8,}/{task.total:,}"), BarColumn(24), TextColumn("{task.description}"))
        hidden = not (bar and self.console.is_terminal)
        self._bar = Progress(*columns, console=self.console, auto_refresh=False, transient=True, disable=hidden)
        self._drawn = -math.inf
        self._scores: tuple[str, ...] = ()
        """The columns of the table."""

    def outlined(self, outline: Outline) -> None:
        """The table of the splits, and what is about to happen."""
        if outline.replaced:
            self._print(f"the former run is kept in {outline.replaced} until the first checkpoint of this one")
        self._print(table(outline.summary))
        self._print(
            f"\nmodel      {outline.parameters:,} parameters; {outline.src_vocab:,} source and {outline.tgt_vocab:,} "
            f"target subwords\ntraining   {outline.steps:,} steps, {outline.steps_per_epoch:,} an epoch, validation "
            f"every {outline.validation_steps:,}, best model by {metrics()[outline.metric].title}"
            f"\nmachine    {outline.device}, {outline.precision}, {outline.threads} threads\n"
        )

    def resumed(self, resumed: Resumed) -> None:
        """From where a run is continued."""
        self._print(f"goes on after step {resumed.step:,}\n")

    def begin(self, begin: Begin) -> None:
        """The head of the table."""
        self._scores = (*(name for name in WIDTHS if name in begin.scores), *_others(begin.scores))
        titles = [f"{_title(name):>{_width(name)}}" for name in self._scores]
        self._print("  ".join(["    step", "epoch", "train loss", *titles, "    time"]), style="bold")
        self._task = self._bar.add_task("", total=begin.steps, completed=begin.step)
        self._bar.start()

    def update(self, update: Update) -> None:
        """Move the bar, if it has stood long enough for a person to read it."""
        if not self._bar.disable and time.monotonic() - self._drawn > 1 / REFRESHES:
            speed = f"{update.tokens_per_second:,.0f} tokens/s"
            self._draw(update.step, f"loss {update.loss:.3f} · {speed} · {duration(update.seconds_left)} left")

    def validating(self, validating: Validating) -> None:
        """What takes so long."""
        self._draw(validating.step, "validating …")

    def validated(self, validated: Validated) -> None:
        """The line of this validation."""
        line = "  ".join(
            [
                f"{validated.step:8,}",
                f"{validated.epoch:5.1f}",
                f"{validated.train_loss:10.3f}",
                *(_cell(name, validated.scores.get(name)) for name in self._scores),
                f"{duration(validated.seconds):>8}",
            ]
        )
        best = validated.best
        self._print(line + "  best" if best else line, style="bold" if best else "")

    def stopped_early(self, stopped: StoppedEarly) -> None:
        """Why the run is shorter than was asked for."""
        title = metrics()[stopped.metric].title
        self._print(
            f"\nstopped early after step {stopped.step:,} of {stopped.steps:,}: no better {title} at "
            f"{stopped.patience} validations in a row"
        )

    def profiled(self, profiled: Profiled) -> None:
        """The table of operations."""
        self._print(profiled.table)

    def close(self) -> None:
        """Take the bar away: what is printed next stands in its place."""
        self._bar.stop()

    def _print(self, text: str, style: str = "") -> None:
        with writing():
            self.console.print(Text(harmless_lines(text), style=style))

    def _draw(self, step: int, text: str) -> None:
        self._drawn = time.monotonic()
        if not self._bar.disable:
            self._bar.update(self._task, completed=step, description=text, refresh=True)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as 0:01:05."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _others(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name not in WIDTHS]


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
