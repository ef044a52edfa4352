"""Copies of a run folder at the moments when a killed process would lose most."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from heed.experiment import train
from heed.training.checkpoints import WholeFiles
from tests.support.small_run import settings


def with_moments(runs: Path, *more: str) -> Path:
    """A folder of runs: `straight`, and copies of it as it was on the disk just before each checkpoint was replaced.

    A killed process leaves only what is on the disk. Just before a checkpoint is the worst moment: all work and all
    random draws since the previous checkpoint are lost.
    """
    save = WholeFiles.save_checkpoint

    def save_after_a_copy(self: WholeFiles, checkpoint: dict[str, Any], path: Path, **rest: object) -> None:
        shutil.copytree(runs / "straight", runs / f"{path.stem}-{checkpoint['global_step']}")
        save(self, checkpoint, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WholeFiles, "save_checkpoint", save_after_a_copy)
        train(settings(runs, "run=straight", *more))
    return runs
