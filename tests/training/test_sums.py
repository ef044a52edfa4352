"""Sums of losses and tokens, on any device."""

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
    """The output of an update for the callbacks: sums of 0, 1, 2 …, or without values on the meta device."""
    return {"sums": Sums(*torch.arange(5, dtype=torch.float64, device=device).unbind())}


class Latest(Reporter):
    """Notes the last update."""

    update_done: Update

    def update(self, update: Update) -> None:
        self.update_done = update


def test_sums_add_up_by_name() -> None:
    """Catches sums that are concatenated as tuples, and a mean that is not over labels."""
    total = no_sums() + step_on("cpu")["sums"] + step_on("cpu")["sums"]
    assert total == Sums(*map(torch.tensor, (0.0, 2.0, 4.0, 6.0, 8.0)))
    assert total.means() == Means(loss=0.0, nll=0.5, guided=1.5, divergence=2.0)
    assert total._asdict()["tokens"] == 4


@pytest.mark.parametrize("restored", [False, True])
def test_callbacks_take_sums_of_another_device(restored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches state on the CPU to which sums on a GPU cannot be added, and a value read when no point is written.

    The meta device, whose tensors have no values, refuses both.
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
