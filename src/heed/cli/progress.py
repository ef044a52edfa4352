"""Training progress at the terminal."""

import math
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from heed.cli.streams import writing
from heed.cli.terminal import harmless_lines
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

REFRESHES = 4  # per second; drawn by the training loop itself, so that no thread slows it down


class TerminalReporter(Reporter):
    """Prints a line for every validation and, at a terminal, a bar with loss, tokens/s and the longest time left."""

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
        """Print the table of the splits, the model, the length of training and the machine."""
        if outline.replaced:
            self._print(f"the previous run is kept in {outline.replaced} until this run's first checkpoint")
        self._print(table(outline.summary))
        self._print(
            f"\nmodel      {outline.parameters:,} parameters; {outline.src_vocab:,} source and {outline.tgt_vocab:,} "
            f"target subwords\ntraining   {outline.steps:,} steps, {outline.steps_per_epoch:,} an epoch, validation "
            f"every {outline.validation_steps:,}, best model by {metrics()[outline.metric].title}"
            f"\nmachine    {outline.device}, {outline.precision}, {outline.threads} threads\n"
        )

    def resumed(self, resumed: Resumed) -> None:
        """Print the step from which a run is resumed."""
        self._print(f"resumed after step {resumed.step:,}\n")

    def begin(self, begin: Begin) -> None:
        """Print the header of the table."""
        self._columns = columns(begin.scores)
        self._print(head(self._columns), style="bold")
        self._task = self._bar.add_task("", total=begin.steps, completed=begin.step)
        self._bar.start()

    def update(self, update: Update) -> None:
        """Move the bar, if it has been shown long enough to be read."""
        if not self._bar.disable and time.monotonic() - self._drawn > 1 / REFRESHES:
            speed = f"{update.tokens_per_second:,.0f} tokens/s"
            self._draw(update.step, f"loss {update.loss:.3f} · {speed} · {duration(update.seconds_left)} left")

    def validating(self, validating: Validating) -> None:
        """Show in the bar that a validation is running."""
        self._draw(validating.step, "validating …")

    def validated(self, validated: Validated) -> None:
        """Print the line of this validation."""
        shown = line(validated, self._columns)
        self._print(f"{shown}  best" if validated.best else shown, style="bold" if validated.best else "")

    def stopped_early(self, stopped: StoppedEarly) -> None:
        """Print why the run ends before its last step."""
        title = metrics()[stopped.metric].title
        self._print(
            f"\nstopped early after step {stopped.step:,} of {stopped.steps:,}: {title} did not "
            f"improve in {stopped.patience} validations"
        )

    def profiled(self, profiled: Profiled) -> None:
        """Print the table of operations."""
        self._print(profiled.table)

    def close(self) -> None:
        """Remove the bar; the next output is printed where it was."""
        self._bar.stop()

    def _print(self, text: str, style: str = "") -> None:
        with writing():
            self.console.print(Text(harmless_lines(text), style=style))

    def _draw(self, step: int, text: str) -> None:
        self._drawn = time.monotonic()
        if not self._bar.disable:
            self._bar.update(self._task, completed=step, description=text, refresh=True)
