"""Sums by name, on whatever device the steps are."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from heed.metrics.scores import metric
from heed.training.board import Board
from heed.training.checkpoints import Checkpoints
from heed.training.clock import Clock
from heed.training.progress import Progress
from heed.training.reporting import Reporter, Update
from heed.training.sums import Means, Sums, no_sums
from heed.training.trainer import build_trainer


def step_on(device: str) -> dict[str, Any]:
    """What an update hands to the callbacks: 0, 1, 2 … on any device but meta, which has no values."""
    return {"sums": Sums(*torch.arange(5, dtype=torch.float64, device=device).unbind())}


class Latest(Reporter):
    """Notes the last update."""

    update_done: Update

    def update(self, update: Update) -> None:
        self.update_done = update


def test_sums_add_up_by_name() -> None:
    """Catches tuples put behind one another, and a mean over something else than the labels."""
    total = no_sums() + step_on("cpu")["sums"] + step_on("cpu")["sums"]
    assert total == Sums(*map(torch.tensor, (0.0, 2.0, 4.0, 6.0, 8.0)))
    assert total.means() == Means(loss=0.0, nll=0.5, guided=1.5, divergence=2.0)
    assert total._asdict()["tokens"] == 4


@pytest.mark.parametrize("restored", [False, True])
def test_callbacks_take_sums_of_another_device(restored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches state on the CPU that a GPU's sums cannot be added to, and a value read at an update without a point.

    The meta device refuses both, as tensors on it have no values.
    """
    clock, reporter = Clock(), Latest()
    trainer = build_trainer(tmp_path, [], batches_per_epoch=100, max_steps=100, device="cpu")
    module = LightningModule()
    board = Board(clock, {}, every_steps=50)
    progress = Progress(reporter, clock, Checkpoints(metric("bleu")))
    progress._started, progress._first = 0.0, 0
    if restored:
        clock.load_state_dict(clock.state_dict())
        progress.load_state_dict(progress.state_dict())
        state: dict[str, Any] = {}
        board.on_save_checkpoint(trainer, module, state)
        board.on_load_checkpoint(trainer, module, state)
    for step in (1, 2):
        monkeypatch.setattr(Trainer, "global_step", step)
        for callback in (clock, board, progress):
            callback.on_train_batch_end(trainer, module, step_on("meta"), None, 0)
    assert {each.device.type for each in (*board.sums, *progress.sums, clock.tokens)} == {"meta"}
    assert reporter.update_done.step == 2
    with pytest.raises((RuntimeError, NotImplementedError)):
        _ = reporter.update_done.loss
