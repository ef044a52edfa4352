"""What TensorBoard shows of a run. The horizontal axis is the number of updates, everywhere."""

import logging
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from pydantic import Field
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from heed.files import replace_whole
from heed.metrics.attention import Health, advice
from heed.training.clock import Clock
from heed.training.module import SUMS, Translation
from heed.training.validation import Picture
from heed.viz.heatmap import BOARD, heatmap

FOLDER = "tensorboard"

EARLY = 200
"""Updates before which no run is told that its attention has not formed."""

FINAL = "final/"
HPARAMS = "_hparams_/"
"""How the tags of what is written at a run's end begin; the second is TensorBoard's own."""

log = logging.getLogger(__name__)


class Board(Callback):
    """Curves, attention maps, translations and hyperparameters; one event file for each start of the run.

    A checkpoint is written only when everything drawn before it has reached the file, and what the files hold beyond
    the checkpoint is taken out when a run is continued: so no kill leaves a step out or shows one twice.
    """

    def __init__(
        self, clock: Clock, settings: Mapping[str, object], every_steps: Annotated[int, Field(ge=1)] = 50
    ) -> None:
        self.clock, self.settings, self.every_steps = clock, settings, every_steps
        self.sums = torch.zeros(SUMS, dtype=torch.float64)
        """Of the steps since the last point of the curves."""
        self._last = (0.0, 0.0)
        self._advice: str | None = None
        """What the last validation's attention calls for."""
        self._writer: SummaryWriter | None = None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Bring the file up to date first; keep what the next point is made of."""
        if self._writer:
            self._writer.flush()
        checkpoint["board"] = self.sums

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Go on from there."""
        self.sums = checkpoint["board"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take out what an earlier start drew beyond the checkpoint; speed is measured from here."""
        self._open(trainer)
        self._last = (float(self.clock.tokens), self.clock.training)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add to the sums; draw a point of every curve when it is time."""
        self.sums = self.sums + outputs["sums"]
        step = trainer.global_step
        if step % self.every_steps == 0:
            point = self._point(cast(Translation, pl_module), step)
            self._curves(trainer, {f"train/{name}": value for name, value in point.items()})
            self.sums = torch.zeros_like(self.sums)

    def _point(self, task: Translation, step: int) -> dict[str, float]:
        loss, nll, count, guided, divergence = self.sums.tolist()
        tokens, seconds = float(self.clock.tokens), self.clock.training
        read, passed = tokens - self._last[0], seconds - self._last[1]
        self._last = (tokens, seconds)
        return {
            "loss": loss / count,
            "perplexity": math.exp(min(nll / count, 700.0)),
            **({"guided_loss": guided / count} if task.guide else {}),
            **({"r_drop": divergence / count} if task.r_drop else {}),
            # Of the update just done: the scheduler has already moved on.
            "learning_rate": task.peak_learning_rate * task.learning_rate(step - 1),
            "teacher_forcing": task.teacher_forcing(step - 1),
            "gradient_norm": float(task.gradient_norm),
            "tokens_per_second": read / passed,
            "hours": (seconds + self.clock.validation) / 3600,
        }

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the scores, and the fixed sentences: where the model looked, and what it wrote."""
        task = cast(Translation, pl_module)
        self._curves(trainer, {f"valid/{name}": value for name, value in task.scores.known().items()})
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
        for name, found in (("reference", picture.forced), ("hypothesis", picture.free)):
            if found.tgt:  # an untrained model may write nothing
                figure = heatmap(found.between_words, found.src, found.tgt, size=BOARD)
                writer.add_figure(f"attention/{number}/{name}", figure, step, close=False)
        lines = (("source", picture.source), ("reference", picture.reference), ("hypothesis", picture.hypothesis))
        # Indented by four, Markdown leaves every sign as it is.
        writer.add_text(f"sentence/{number}", "\n".join(f"    {name:10} {text}" for name, text in lines), step)

    def finish(self, trainer: Trainer, best: Mapping[str, int | float]) -> None:
        """Write the settings with the scores that they led to, for TensorBoard's table of hyperparameters.

        A process killed after this, and before the run is known to be finished, comes here again: `keep_until` takes
        out what was written the first time.
        """
        writer = self._open(trainer)
        if writer:
            final = {f"{FINAL}{name}": float(value) for name, value in best.items() if name != "step"}
            for summary in hparams({key: _plain(value) for key, value in self.settings.items()}, final):
                writer._get_file_writer().add_summary(summary)
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
            folder = Path(trainer.default_root_dir) / FOLDER
            keep_until(folder, trainer.global_step)
            # The purge is for a TensorBoard that has read those steps already.
            self._writer = SummaryWriter(folder, purge_step=trainer.global_step + 1)
        return self._writer


def _curves_of(health: Health) -> dict[str, float]:
    return {name: value for name, value in health._asdict().items() if not name.endswith("_len")}


def _is_time_to_judge(trainer: Trainer) -> bool:
    """At the first validation in the second half of a run; a function of the step, so that no kill makes it two."""
    half = trainer.max_steps / 2
    return max(half, EARLY) <= trainer.global_step < max(half, EARLY) + int(trainer.val_check_interval)


def _warn(writer: SummaryWriter, text: str, step: int, prefix: str = "") -> None:
    """Say in the log and beside the curves that attention has not formed."""
    log.warning("%s", text)
    writer.add_text(f"{prefix}attention_health/warning", text, step)


def keep_until(folder: Path, step: int) -> None:
    """Take later steps and the end of a run out of the event files, and the half record of a killed process.

    TensorBoard's `purge_step` alone is not enough: its reader goes by it for curves and images, but not for text.
    """
    for half in folder.glob(".events.out.tfevents.*"):
        half.unlink()  # left by a kill in the middle of what follows, and TensorBoard would read it too
    for path in folder.glob("events.out.tfevents.*"):
        records = [record for record in RawEventFileLoader(str(path)).Load() if _is_kept(record, step)]
        replace_whole(path, partial(_write_records, records))


def _is_kept(record: bytes, step: int) -> bool:
    event = Event.FromString(record)
    return event.step <= step and not any(value.tag.startswith((FINAL, HPARAMS)) for value in event.summary.value)


def _write_records(records: Sequence[bytes], path: Path) -> None:
    with path.open("wb") as file:
        writer = RecordWriter(file)
        for record in records:
            writer.write(record)


def _plain(value: object) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float | str) else str(value)
