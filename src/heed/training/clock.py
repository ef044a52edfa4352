"""Total time of a run and number of tokens it has read, over all its starts."""

import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class Clock(Callback):
    """Counts seconds and tokens; put it before the callbacks that read it.

    Time and tokens between a checkpoint and a kill are not counted, because those steps are repeated.
    """

    def __init__(self) -> None:
        self.training = 0.0
        """Seconds spent on updates, including the loading of batches and callbacks."""
        self.validation = 0.0
        """Seconds spent on validation, including the checkpoints written after it."""
        self.tokens = torch.zeros((), dtype=torch.float64)
        """Target tokens read (labels, padding not counted), all ranks together."""
        self._since = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """The counts."""
        return {"training": self.training, "validation": self.validation, "tokens": self.tokens}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the counts."""
        vars(self).update(state_dict)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._since = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count an update."""
        # Not in place: the count may come from a checkpoint and be on another device.
        self.tokens = self.tokens + outputs["sums"].tokens
        self.training += self._lap()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the time since the update, which callbacks used, to training."""
        self.training += self._lap()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count a validation."""
        self.validation += self._lap()

    @property
    def tokens_per_second(self) -> float:
        """Target tokens per second over all updates so far, without validation."""
        return float(self.tokens) / self.training if self.training else 0.0

    def _lap(self) -> float:
        now = time.monotonic()
        elapsed, self._since = now - self._since, now
        return elapsed
