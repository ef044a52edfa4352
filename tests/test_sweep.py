"""A sweep through the real door of training: a run folder for each job, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_run import SMALL


def sweep(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "heed.train", "--multirun", *SMALL, "run=sweep", *overrides]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_each_job_has_a_run_folder_and_the_same_sweep_finds_them_again(tmp_path: Path) -> None:
    """Catches multirun/, multirun.yaml and logs beside the run folders, and jobs that are trained twice."""
    assert sweep(tmp_path, "seed=1,2").returncode == 0
    (runs,) = tmp_path.iterdir()
    assert [path.name for path in runs.iterdir()] == ["sweep"]
    assert sorted(path.name for path in (runs / "sweep").iterdir()) == ["seed-1", "seed-2"]
    assert all((path / "report.json").exists() for path in (runs / "sweep").iterdir())
    before = files(tmp_path)

    again = sweep(tmp_path, "seed=1,2")

    assert again.returncode == 0
    assert again.stdout.count("is finished") == 2
    assert files(tmp_path) == before


@pytest.mark.slow
def test_a_job_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    """Catches a night's sweep that ends at its first mistake, or that ends with 0."""
    found = sweep(tmp_path, "optim.lr=-1.0,0.01")

    assert found.returncode == 2
    assert "optim: Invalid learning rate: -1.0" in found.stderr
    assert (tmp_path / "runs/sweep/optim.lr-0.01/report.json").exists()
