"""What is logged to TensorBoard. The horizontal axis is always the number of updates."""

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from lightning.pytorch import Callback, LightningModule, Trainer
from pydantic import Field
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from heed.metrics.attention import Health, advice
from heed.text.controls import harmless
from heed.training import event_files
from heed.training.clock import Clock
from heed.training.module import TranslationModule
from heed.training.sums import Sums, no_sums
from heed.training.validation import Picture
from heed.viz.heatmap import BOARD, heatmap

FOLDER = "tensorboard"

EARLY = 200
"""The number of updates before which there is no warning that attention has not formed."""

FINAL = "final/"
"""The prefix of tags that are written at the end of a run."""

log = logging.getLogger(__name__)


class Board(Callback):
    """Curves, attention maps, translations and hyperparameters; one event file for each start of the run.

    Before a checkpoint is written, everything logged so far is flushed to disk, and the checkpoint records the lengths
    of the files. When a run is resumed, the files are truncated to these lengths, so a kill never leaves out a step or
    shows one twice. TensorBoard's own solution, `purge_step`, hides later steps of curves and images, but not of text,
    and fails if files are read in another order; it is set too, for a TensorBoard that has already read those steps.
    """

    def __init__(
        self, clock: Clock, settings: Mapping[str, object], every_steps: Annotated[int, Field(ge=1)] = 50
    ) -> None:
        self.clock, self.settings, self.every_steps = clock, settings, every_steps
        self.sums = no_sums()
        """Sums over the steps since the last point of the curves."""
        self._last = (0.0, 0.0)
        self._advice: str | None = None
        """Advice on attention, from the last validation."""
        self._writer: SummaryWriter | None = None
        self._recorded: event_files.Sizes = {}
        """The lengths of the event files in the checkpoint from which this run is resumed."""

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Flush the event file, then save the sums for the next point."""
        if self._writer:
            self._writer.flush()
            self._recorded = event_files.sizes(_folder(trainer))
        checkpoint["board"] = {"sums": self.sums._asdict(), "event_files": self._recorded}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Restore the sums."""
        self.sums, self._recorded = Sums(**checkpoint["board"]["sums"]), checkpoint["board"]["event_files"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove what was logged after the checkpoint by an earlier start; begin to measure speed."""
        self._open(trainer)
        self._last = (float(self.clock.tokens), self.clock.training)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add to the sums; log a point of every curve if it is due."""
        self.sums = self.sums + outputs["sums"]
        step = trainer.global_step
        if step % self.every_steps == 0:
            point = self._point(cast(TranslationModule, pl_module), step)
            self._curves(trainer, {f"train/{name}": value for name, value in point.items()})
            self.sums = no_sums()

    def _point(self, task: TranslationModule, step: int) -> dict[str, float]:
        means = self.sums.means()
        tokens, seconds = float(self.clock.tokens), self.clock.training
        new_tokens, new_seconds = tokens - self._last[0], seconds - self._last[1]
        self._last = (tokens, seconds)
        return {
            "loss": means.loss,
            "perplexity": math.exp(min(means.nll, 700.0)),
            **({"guided_loss": means.guided} if task.guide else {}),
            **({"r_drop": means.divergence} if task.r_drop else {}),
            # the rate of this update; the scheduler has already computed the next one
            "learning_rate": task.peak_learning_rate * task.learning_rate(step - 1),
            "teacher_forcing": task.teacher_forcing(step - 1),
            "gradient_norm": float(task.gradient_norm),
            "tokens_per_second": new_tokens / new_seconds,
            "hours": (seconds + self.clock.validation) / 3600,
        }

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the scores and, for the fixed sentences, attention maps and translations."""
        task = cast(TranslationModule, pl_module)
        self._curves(trainer, {f"valid/{name}": value for name, value in task.scores.items()})
        self._curves(trainer, {f"valid/preserved_{name}": share for name, share in task.preserved.items()})
        health = task.validation.health()
        self._curves(trainer, {f"attention_health/{name}": value for name, value in _curves_of(health).items()})
        writer = self._open(trainer)
        if writer:
            for number, picture in enumerate(task.validation.pictures(), start=1):
                self._show(writer, number, picture, trainer.global_step)
            self._advice = advice(health)
            if self._advice and _is_time_to_judge(trainer):
                _warn(writer, self._advice, trainer.global_step)

    def _show(self, writer: SummaryWriter, number: int, picture: Picture, step: int) -> None:
        for name, attention in (("reference", picture.forced), ("hypothesis", picture.free)):
            if attention.tgt:  # an untrained model may write nothing
                shown = attention.pictured()
                figure = heatmap(shown.weights, shown.src, shown.tgt, size=BOARD)
                writer.add_figure(f"attention/{number}/{name}", figure, step, close=False)
        lines = (("source", picture.source), ("reference", picture.reference), ("hypothesis", picture.hypothesis))
        # Indented by four, Markdown shows all characters unchanged up to the end of the line.
        text = "\n".join(f"    {name:10} {harmless(text)}" for name, text in lines)
        writer.add_text(f"sentence/{number}", text, step)

    def finish(self, trainer: Trainer, best: Mapping[str, int | float]) -> None:
        """Write the settings with their final scores, for TensorBoard's table of hyperparameters.

        If the process is killed after this but before the run is marked as finished, this is called again. What was
        written the first time is then truncated, because it was written after the last checkpoint.
        """
        writer = self._open(trainer)
        if writer and writer.file_writer:
            final = {f"{FINAL}{name}": float(value) for name, value in best.items() if name != "step"}
            for summary in hparams({key: _plain(value) for key, value in self.settings.items()}, final):
                writer.file_writer.add_summary(summary)
            self._curves(trainer, final)
            stopped_early = EARLY <= trainer.global_step < trainer.max_steps / 2
            if self._advice and stopped_early:
                _warn(writer, self._advice, trainer.global_step, FINAL)
            writer.close()

    def _curves(self, trainer: Trainer, values: Mapping[str, float]) -> None:
        writer = self._open(trainer)
        if writer:
            for tag, value in values.items():
                writer.add_scalar(tag, value, trainer.global_step)

    def _open(self, trainer: Trainer) -> SummaryWriter | None:
        if self._writer is None and trainer.is_global_zero:
            folder = _folder(trainer)
            start = event_files.cut_back(folder, self._recorded)
            suffix = event_files.suffix(start)
            self._writer = SummaryWriter(folder, purge_step=trainer.global_step + 1, filename_suffix=suffix)
        return self._writer


def _folder(trainer: Trainer) -> Path:
    return Path(trainer.default_root_dir) / FOLDER


def _curves_of(health: Health) -> dict[str, float]:
    return {name: value for name, value in health._asdict().items() if not name.endswith("_len")}


def _is_time_to_judge(trainer: Trainer) -> bool:
    """True at the first validation in the second half of a run; a function of the step, so it is true only once."""
    half = trainer.max_steps / 2
    return max(half, EARLY) <= trainer.global_step < max(half, EARLY) + int(trainer.val_check_interval)


def _warn(writer: SummaryWriter, text: str, step: int, prefix: str = "") -> None:
    """Warn, in the log and in TensorBoard, that attention has not formed."""
    log.warning("%s", text)
    writer.add_text(f"{prefix}attention_health/warning", text, step)


def _plain(value: object) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float | str) else str(value)
