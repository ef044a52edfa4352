"""Calls a `Reporter` with the events of training."""

import time
from typing import Any, cast

from lightning.pytorch import Callback, LightningModule, Trainer

from heed.data.module import Stream
from heed.training.checkpoints import Checkpoints
from heed.training.clock import Clock
from heed.training.module import TranslationModule
from heed.training.reporting import Begin, Reporter, Resumed, Update, Validated, Validating
from heed.training.sums import Sums, no_sums


class Progress(Callback):
    """Reports begin, updates, validations and end. As a callback, it comes after `clock` and before `checkpoints`.

    All processes keep the sums, because all load the same checkpoint; only the first one reports.
    """

    def __init__(self, reporter: Reporter, clock: Clock, checkpoints: Checkpoints) -> None:
        self.reporter, self.clock, self.checkpoints = reporter, clock, checkpoints
        self.sums = no_sums()
        """Sums over the updates since the last validation."""

    def state_dict(self) -> dict[str, Any]:
        """The sums from which the next validation's training loss is computed."""
        return {"sums": self.sums._asdict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the sums."""
        self.sums = Sums(**state_dict["sums"])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the beginning, and the update from which a run is resumed."""
        self._started, self._first = time.monotonic(), trainer.global_step
        if not trainer.is_global_zero:
            return
        if trainer.global_step:
            self.reporter.resumed(Resumed(trainer.global_step))
        scores = cast(TranslationModule, pl_module).validation.score_names
        metric = self.checkpoints.metric.name
        self.reporter.begin(Begin(trainer.global_step, int(trainer.max_steps), metric, scores))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Report an update, without waiting for the device."""
        self.sums = self.sums + outputs["sums"]
        if trainer.is_global_zero:
            step, steps = trainer.global_step, int(trainer.max_steps)
            pace = (time.monotonic() - self._started) / (step - self._first)
            self.reporter.update(Update(step, steps, self.sums, pace * (steps - step), self._speed))

    def _speed(self) -> float:
        return self.clock.tokens_per_second

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report that a validation begins."""
        if trainer.is_global_zero:
            self.reporter.validating(Validating(trainer.global_step))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the scores."""
        sums, self.sums = self.sums, no_sums()
        if trainer.is_global_zero:
            scores = cast(TranslationModule, pl_module).scores
            validated = Validated(
                step=trainer.global_step,
                epoch=cast(Stream, trainer.train_dataloader).epochs_done,
                train_loss=sums.means().loss,
                scores=scores,
                best=self.checkpoints.is_best(scores),
                seconds=self.clock.training + self.clock.validation,
            )
            self.reporter.validated(validated)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the end."""
        self._close(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Report the end, before the error is printed."""
        self._close(trainer)

    def _close(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            self.reporter.close()
