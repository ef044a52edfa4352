"""A sweep through the real commands: a run folder for each job, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heed.cli.sweep import Ended, Job, Result
from heed.cli.sweep_table import TABLE_MARK, print_table, table
from heed.cli.train import results, scores_of_test
from heed.experiment import Run, Settings
from tests.support.commands import Outcome, forked
from tests.support.model_folder import write
from tests.support.settings import settings_of
from tests.support.small_run import SMALL


def rows(shown: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in shown.splitlines()]


def test_the_table_shows_the_settings_and_scores_of_each_job() -> None:
    """Catches scores in the row of another job, and columns for scores that no job has."""
    first: dict[str, dict[str, Any]] = {
        "test": {"search": "greedy", "bleu": 41.0, "chrf": 52.0, "aer": None},
        "valid": {"bleu": 40.126, "chrf": 50.0, "aer": 0.25},
    }
    jobs = [
        Job({"seed": "1", "attention": "dot"}, Ended(0, result=Result(Path("a"), first))),
        Job({"seed": "2", "attention": "dot"}, Ended(2, "optim: a|b")),
        Job(
            {"seed": "3", "attention": "dot"},
            Ended(0, result=Result(Path("b"), {"valid": {"bleu": 39.0, "chrf": 49.0}})),
        ),
    ]
    head, rule, *body = table(jobs).splitlines()

    assert rows(head) == [
        ["seed", "attention", "valid BLEU", "valid chrF", "valid AER", "test search", "test BLEU", "test chrF", "ended"]
    ]
    assert set(rule) == {"|", "-"}
    assert rows(body[0]) == [["1", "dot", "40.13", "50.00", "0.250", "greedy", "41.00", "52.00", ""]]
    assert r"failed: optim: a\|b" in body[1]
    assert rows(body[2]) == [["3", "dot", "39.00", "49.00", "", "", "", "", ""]]
    assert len({len(line) for line in (head, rule, *body)}) == 1


def test_the_table_is_in_the_folder_of_the_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Catches a table whose path is not printed, and one that is written although the jobs have no common folder."""
    tried, elsewhere = tmp_path / "runs/tried", tmp_path / "runs/other"
    tried.mkdir(parents=True)
    jobs = [
        Job({"seed": str(n)}, Ended(0, result=Result(tried / f"seed-{n}", {"valid": {"bleu": 1.0}}))) for n in (1, 2)
    ]
    print_table(jobs)
    assert (tmp_path / "runs/tried/sweep.md").read_text() == f"{table(jobs)}\n{TABLE_MARK}\n"
    assert capsys.readouterr().out.splitlines()[-1] == f"written to {tmp_path / 'runs/tried/sweep.md'}"
    before = sorted(tmp_path.rglob("*"))
    print_table([jobs[0], Job({"seed": "3"}, Ended(0, result=Result(elsewhere / "seed-3", {"valid": {"bleu": 1.0}})))])
    print_table([Job({"seed": "1"}, Ended(2, "no such corpus"))])
    assert "failed: no such corpus" in capsys.readouterr().out
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "corpus",
    [["corpus=files", "corpus.name=n", "corpus.src_lang=a", "corpus.tgt_lang=b"], ["corpus=reverse", "corpus.test=0"]],
)
def test_a_corpus_without_a_test_split_has_no_scores_of_it(tmp_path: Path, corpus: list[str]) -> None:
    """Catches a sweep whose jobs all fail after their training, because the corpus has no test split."""
    best = {"bleu": 1.0}
    found = results(settings_of("train", Settings, *corpus), Run(tmp_path, {"best": best}))
    assert list(found) == [Result(tmp_path, {"valid": best})]


def test_scores_are_kept_unless_they_are_older_than_the_model(tmp_path: Path) -> None:
    """Catches scores of a beam search that a greedy search overwrites, and scores of an earlier model in the table."""
    model = write(tmp_path / "it's/model", about={"corpus": {"reader": "reverse", "test": 2}})
    report, config = tmp_path / "it's/evaluate/test/report.json", model / "config.json"
    report.parent.mkdir(parents=True)
    report.write_text(json.dumps({"corpus": "c", "split": "test", "sentences": 1, "search": "beam", "bleu": 3.0}))
    os.utime(config, (0, 0))
    assert scores_of_test(Run(model.parent, {}))["search"] == "beam"
    os.utime(report, (-9, -9))
    assert scores_of_test(Run(model.parent, {}))["search"] == "greedy"


def test_a_job_without_test_scores_keeps_its_validation_scores() -> None:
    """Catches validation scores that are missing in the table because a file of the test split is missing."""
    job = Job({"seed": "1"}, Ended(2, "no such file", Result(Path("a"), {"valid": {"bleu": 1.0}})))
    assert rows(table([job]))[2] == ["1", "1.00", "failed: no such file"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, as the working directory."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def sweep(*overrides: str) -> Outcome:
    return forked(Path(".."), "train", "--multirun", *SMALL, "run=sweep", *overrides)


def rows_in(folder: Path, place: str = "runs/sweep") -> list[list[str]]:
    *table, mark = (folder / place / "sweep.md").read_text(encoding="utf-8").splitlines()
    assert mark == TABLE_MARK
    return rows("\n".join(table))


def scores(folder: Path) -> list[str]:
    """The scores of a report that the table of a sweep shows."""
    found = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return [f"{found['bleu']:.2f}", f"{found['chrf']:.2f}", f"{found['ter']:.2f}"]


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_each_job_has_a_run_folder_and_the_same_sweep_finds_them_again(folder: Path) -> None:
    """Catches multirun/, multirun.yaml and logs beside the run folders, and jobs that are trained twice.

    `++` sets a value whether or not the config has the key; the jobs are the same.
    """
    assert sweep("++seed=1,2").code == 0
    (runs,) = folder.iterdir()
    assert [path.name for path in runs.iterdir()] == ["sweep"]
    assert sorted(path.name for path in (runs / "sweep").iterdir()) == ["seed-1", "seed-2", "sweep.md"]
    assert all((runs / f"sweep/seed-{seed}/report.json").exists() for seed in (1, 2))
    head, _, *body = rows_in(folder)
    column = head.index("test BLEU")
    for seed, line in zip((1, 2), body, strict=True):
        assert line[column : column + 3] == scores(folder / f"runs/sweep/seed-{seed}/evaluate/test")
    before = files(folder)

    again = sweep("seed=1,2")

    assert again.code == 0
    assert again.out.count("was already finished") == 2
    assert files(folder) == before

    both = ["--multirun", "model=runs/sweep/seed-1/model", "heatmaps=0", "search=greedy,beam"]
    searched = forked(Path(".."), "evaluate", *both)

    assert searched.code == 0, searched.err
    place = "runs/sweep/seed-1/evaluate/test"
    head, _, *body = rows_in(folder, place)
    assert head[:5] == ["search", "test search", "test BLEU", "test chrF", "test TER"]
    assert [[line[0], *line[2:5]] for line in body] == [
        [search, *scores(folder / place / f"search-{search}")] for search in ("greedy", "beam")
    ]


@pytest.mark.slow
def test_a_job_that_fails_leaves_the_others_alone(folder: Path) -> None:
    """Catches a sweep that stops at its first failed job, and one that then ends with exit code 0."""
    found = sweep("optim.lr=-1.0,0.01")

    assert found.code == 2
    assert "optim.lr=-1.0: should be greater than or equal to 0" in found.err
    assert (folder / "runs/sweep/optim.lr-0.01/report.json").exists()
    head, _, failed, finished = rows_in(folder)
    assert failed == ["-1.0", *[""] * (len(head) - 2), "failed: optim.lr=-1.0: should be greater than or equal to 0"]
    best = json.loads((folder / "runs/sweep/optim.lr-0.01/report.json").read_text())["best"]
    assert finished[:3] == ["0.01", f"{best['bleu']:.2f}", f"{best['chrf']:.2f}"]
    column = head.index("test BLEU")
    assert finished[column : column + 3] == scores(folder / "runs/sweep/optim.lr-0.01/evaluate/test")
    assert found.out.rstrip().endswith("written to runs/sweep/sweep.md")


@pytest.mark.slow
def test_jobs_in_parallel_processes_end_as_others_do(folder: Path) -> None:
    """Catches parallel jobs whose errors give exit code 0, that share a folder, or that each use all threads."""
    parallel = ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={os.cpu_count()}"]
    command = [sys.executable, "-m", "heed.cli.train", "--multirun", *SMALL, "run=sweep", "optim.lr=-1.0,0.01"]
    done = subprocess.run([*command, "seed=1,2", *parallel], capture_output=True, text=True, check=False)
    found = Outcome(done.returncode, done.stdout, done.stderr)

    assert found.code == 2, found.err
    assert found.err.count("optim.lr=-1.0: should be greater than or equal to 0") == 2
    assert [path.name for path in folder.iterdir()] == ["runs"]
    finished = ["optim.lr-0.01+seed-1", "optim.lr-0.01+seed-2"]
    assert sorted(path.name for path in (folder / "runs/sweep").iterdir()) == [*finished, "sweep.md"]
    assert [line[:2] for line in rows_in(folder)[2:]] == [["-1.0", "1"], ["-1.0", "2"], ["0.01", "1"], ["0.01", "2"]]
    assert "--multirun" in (folder / "runs/sweep/optim.lr-0.01+seed-1/environment.json").read_text(encoding="utf-8")
    assert found.out.count(" 1 threads") == len(finished)
