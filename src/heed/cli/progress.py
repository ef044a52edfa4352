"""What a person sees at the terminal while a model learns."""

import math
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from heed.cli.streams import writing
from heed.cli.validation_table import columns, duration, head, line
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


class TerminalReporter(Reporter):
    """A line for every validation; at a terminal, below them, a bar with loss, tokens/s and the time left at most."""

    def __init__(self, bar: bool = True) -> None:
        # a notebook shows plain lines as a table: rich would make a block of HTML of each, or, told that this is none,
        # take it for a terminal, as kernels set FORCE_COLOR
        plain = False if Console().is_jupyter else None
        self.console = Console(
            file=sys.stdout, highlight=False, soft_wrap=True, force_jupyter=plain, force_terminal=plain
        )
        parts = (TextColumn("{task.completed:>8,}/{task.total:,}"), BarColumn(24), TextColumn("{task.description}"))
        hidden = not (bar and self.console.is_terminal)
        self._bar = Progress(*parts, console=self.console, auto_refresh=False, transient=True, disable=hidden)
        self._drawn = -math.inf
        self._columns: list[str] = []

    def outlined(self, outline: Outline) -> None:
        """The table of the splits, and what is about to happen."""
        if outline.replaced:
            self._print(f"the former run is kept in {outline.replaced} until the first checkpoint of this one")
        self._print(Text(table(outline.summary)))
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
        self._columns = columns(begin.scores)
        self._print(Text(head(self._columns), style="bold"))
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
        shown = line(validated, self._columns)
        self._print(Text(f"{shown}  best", style="bold") if validated.best else Text(shown))

    def stopped_early(self, stopped: StoppedEarly) -> None:
        """Why the run is shorter than was asked for."""
        title = metrics()[stopped.metric].title
        self._print(
            f"\nstopped early after step {stopped.step:,} of {stopped.steps:,}: no better {title} at "
            f"{stopped.patience} validations in a row"
        )

    def profiled(self, profiled: Profiled) -> None:
        """The table of operations."""
        self._print(Text(profiled.table))

    def close(self) -> None:
        """Take the bar away: what is printed next stands in its place."""
        self._bar.stop()

    def _print(self, text: str | Text, style: str | None = None) -> None:
        with writing():
            self.console.print(text, style=style)

    def _draw(self, step: int, text: str) -> None:
        self._drawn = time.monotonic()
        if not self._bar.disable:
            self._bar.update(self._task, completed=step, description=text, refresh=True)
