"""A sweep through the real door of training: a run folder for each job, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heed.sweep import Ended, Job, table, tell
from tests.small_run import SMALL


def run(folder: Path, test: dict[str, Any] | None = None, **best: float) -> Path:
    """What a finished run, evaluated or not, leaves that a sweep reads."""
    (folder / "evaluate/test").mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps({"best": {"step": 3, "loss": 0.5} | best}))
    if test is not None:
        (folder / "evaluate/test/report.json").write_text(json.dumps(test))
    return folder


def rows(shown: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in shown.splitlines()]


def test_the_table_sets_what_was_swept_against_what_came_out(tmp_path: Path) -> None:
    """Catches scores in the row of another job, and columns of what no run has."""
    evaluated = run(tmp_path / "a", {"bleu": 41.0, "chrf": 52.0, "aer": None}, bleu=40.126, chrf=50.0, aer=0.25)
    jobs = [
        Job({"seed": "1", "attention": "dot"}, Ended(0, folder=evaluated)),
        Job({"seed": "2", "attention": "dot"}, Ended(2, "optim: a|b")),
        Job({"seed": "3", "attention": "dot"}, Ended(0, folder=run(tmp_path / "b", bleu=39.0, chrf=49.0))),
    ]
    head, rule, *body = table(jobs).splitlines()

    assert rows(head) == [
        ["seed", "attention", "valid BLEU", "valid chrF", "valid AER", "test BLEU", "test chrF", "ended"]
    ]
    assert set(rule) == {"|", "-"}
    assert rows(body[0]) == [["1", "dot", "40.13", "50.00", "0.250", "41.00", "52.00", ""]]
    assert r"failed: optim: a\|b" in body[1]
    assert rows(body[2]) == [["3", "dot", "39.00", "49.00", "", "", "", ""]]
    assert len({len(line) for line in (head, rule, *body)}) == 1


def test_the_table_lies_in_the_folder_of_the_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Catches a table that nobody finds, and one that is written where no run is."""
    first, second = (run(tmp_path / "runs/tried" / name, bleu=1.0) for name in ("seed-1", "seed-2"))
    jobs = [Job({"seed": "1"}, Ended(0, folder=first)), Job({"seed": "2"}, Ended(0, folder=second))]
    tell(jobs)
    assert (tmp_path / "runs/tried/sweep.md").read_text() == f"{table(jobs)}\n"
    assert capsys.readouterr().out.splitlines()[-1] == f"written to {tmp_path / 'runs/tried/sweep.md'}"
    before = sorted(tmp_path.rglob("*"))
    tell([Job({"seed": "1"}, Ended(2, "no such corpus"))])
    assert "failed: no such corpus" in capsys.readouterr().out
    assert sorted(tmp_path.rglob("*")) == before


def sweep(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "heed.train", "--multirun", *SMALL, "run=sweep", *overrides]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def told(folder: Path) -> list[list[str]]:
    return rows((folder / "runs/sweep/sweep.md").read_text(encoding="utf-8"))


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_each_job_has_a_run_folder_and_the_same_sweep_finds_them_again(tmp_path: Path) -> None:
    """Catches multirun/, multirun.yaml and logs beside the run folders, and jobs that are trained twice."""
    assert sweep(tmp_path, "seed=1,2").returncode == 0
    (runs,) = tmp_path.iterdir()
    assert [path.name for path in runs.iterdir()] == ["sweep"]
    assert sorted(path.name for path in (runs / "sweep").iterdir()) == ["seed-1", "seed-2", "sweep.md"]
    assert all((runs / f"sweep/seed-{seed}/report.json").exists() for seed in (1, 2))
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
    head, _, failed, finished = told(tmp_path)
    assert failed == ["-1.0", *[""] * (len(head) - 2), "failed: optim: Invalid learning rate: -1.0"]
    best = json.loads((tmp_path / "runs/sweep/optim.lr-0.01/report.json").read_text())["best"]
    assert finished[:3] == ["0.01", f"{best['bleu']:.2f}", f"{best['chrf']:.2f}"]
    assert found.stdout.rstrip().endswith("written to runs/sweep/sweep.md")


@pytest.mark.slow
def test_jobs_side_by_side_come_to_the_same(tmp_path: Path) -> None:
    """Catches jobs in processes of their own whose faults end with 0, whose folders are one, or that share threads."""
    found = sweep(
        tmp_path, "optim.lr=-1.0,0.01", "seed=1,2", "hydra/launcher=joblib", f"hydra.launcher.n_jobs={os.cpu_count()}"
    )

    assert found.returncode == 2, found.stderr
    assert found.stderr.count("optim: Invalid learning rate: -1.0") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    finished = ["optim.lr-0.01+seed-1", "optim.lr-0.01+seed-2"]
    assert sorted(path.name for path in (tmp_path / "runs/sweep").iterdir()) == [*finished, "sweep.md"]
    assert [line[:2] for line in told(tmp_path)[2:]] == [["-1.0", "1"], ["-1.0", "2"], ["0.01", "1"], ["0.01", "2"]]
    assert "--multirun" in (tmp_path / "runs/sweep/optim.lr-0.01+seed-1/environment.json").read_text(encoding="utf-8")
    assert found.stdout.count(" 1 threads") == len(finished)
