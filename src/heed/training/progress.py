"""What a person sees at the terminal while a model learns."""

import math
import sys
import time
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from heed.data.module import Stream
from heed.training.checkpoints import Checkpoints
from heed.training.clock import Clock
from heed.training.module import SUMS, Translation
from heed.training.validation import Scores

HEADER = "    step  epoch  train loss  valid loss  perplexity    BLEU    chrF     AER      time"
REFRESHES = 4  # a second; drawn from the training loop, so that no thread takes time from it


class Lines(ProgressBar):
    """A line for every validation; at a terminal, below them, a bar with loss, tokens/s and the time left at most."""

    def __init__(self, clock: Clock, checkpoints: Checkpoints, bar: bool = True) -> None:
        super().__init__()
        self.clock, self.checkpoints = clock, checkpoints
        self.sums = torch.zeros(SUMS, dtype=torch.float64)
        """Of the steps since the last validation."""
        self.console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        columns = (TextColumn("{task.completed:>8,}/{task.total:,}"), BarColumn(24), TextColumn("{task.description}"))
        hidden = not (bar and self.console.is_terminal)
        self._bar = Progress(*columns, console=self.console, auto_refresh=False, transient=True, disable=hidden)
        self._drawn = -math.inf

    def state_dict(self) -> dict[str, Any]:
        """What the next line is made of."""
        return {"sums": self.sums}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.sums = state_dict["sums"]

    def disable(self) -> None:
        """Say nothing; Lightning asks every rank but the first to."""
        self.console.quiet = self._bar.disable = True

    def enable(self) -> None:
        """Say lines again."""
        self.console.quiet = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the head of the table, and from where a run is continued."""
        if trainer.global_step:
            self.console.print(f"goes on after step {trainer.global_step:,}\n")
        self.console.print(Text(HEADER, style="bold"))
        self._task = self._bar.add_task("", total=trainer.max_steps, completed=trainer.global_step)
        self._start = (time.monotonic(), trainer.global_step)
        self._bar.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar."""
        self.sums = self.sums + outputs["sums"]
        now = time.monotonic()
        if not self._bar.disable and now - self._drawn > 1 / REFRESHES:
            loss = float(self.sums[0] / self.sums[2])
            began, first = self._start
            left = (now - began) / (trainer.global_step - first) * (trainer.max_steps - trainer.global_step)
            speed = f"{self.clock.tokens_per_second:,.0f} tokens/s"
            self._draw(trainer, f"loss {loss:.3f} · {speed} · {duration(left)} left")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what takes so long."""
        self._draw(trainer, "validating …")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the line of this validation."""
        loss = float(self.sums[0] / self.sums[2])
        self.sums = torch.zeros_like(self.sums)
        scores = cast(Translation, pl_module).scores
        best = not self.checkpoints.history or scores.bleu > self.checkpoints.best["bleu"]
        seconds = self.clock.training + self.clock.validation
        epoch = cast(Stream, trainer.train_dataloader).epochs_done
        line = _line(trainer.global_step, epoch, loss, scores, seconds)
        self.console.print(Text(line + "  best" if best else line, style="bold" if best else ""))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the bar away."""
        self._bar.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Take the bar away: what went wrong is printed where it stood."""
        self._bar.stop()

    def _draw(self, trainer: Trainer, text: str) -> None:
        self._drawn = time.monotonic()
        if not self._bar.disable:
            self._bar.update(self._task, completed=trainer.global_step, description=text, refresh=True)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as 0:01:05."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _shown(perplexity: float) -> str:
    """In ten places, whatever came of the run."""
    return f"{perplexity:10,.2f}" if perplexity < 1e6 else f"{perplexity:10.2g}"


def _line(step: int, epoch: float, loss: float, scores: Scores, seconds: float) -> str:
    aer = "     -" if scores.aer is None else f"{scores.aer:6.3f}"
    return (
        f"{step:8,}  {epoch:5.1f}  {loss:10.3f}  {scores.loss:10.3f}  {_shown(scores.perplexity)}"
        f"  {scores.bleu:6.2f}  {scores.chrf:6.2f}  {aer}  {duration(seconds):>8}"
    )
