"""A run as it was on the disk at its worst moments."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from heed.experiment import train
from heed.training.checkpoints import WholeFiles
from tests.support.small_run import settings


def with_moments(runs: Path, *more: str) -> Path:
    """A folder of runs: `straight`, and copies of it as it was on the disk just before each checkpoint was replaced.

    To a killed process the disk is all that counts, and just before is the worst moment: everything since the
    checkpoint is done, drawn and lost.
    """
    save = WholeFiles.save_checkpoint

    def save_after_a_copy(self: WholeFiles, checkpoint: dict[str, Any], path: Path, **rest: object) -> None:
        shutil.copytree(runs / "straight", runs / f"{path.stem}-{checkpoint['global_step']}")
        save(self, checkpoint, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WholeFiles, "save_checkpoint", save_after_a_copy)
        train(settings(runs, "run=straight", *more))
    return runs
