"""Every state that a run folder can be in, and what the same command makes of it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from heed.errors import UserError
from heed.runs.run_folder import begin, differences, environment, finish, held, run_path

CONFIG: dict[str, Any] = {
    "seed": 1,
    "overwrite": False,
    "optim": {"lr": 1e-5, "betas": [0.9, 0.98]},
    "corpus": {"name": "été", "valid": None},
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "runs/tiny"
    with held(folder):
        yield folder


def changed(**settings: Any) -> dict[str, Any]:
    return CONFIG | settings


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_folder_keeps_the_settings_as_they_are(folder: Path) -> None:
    """Catches a config that does not come back as it was, such as 1e-5 written so that YAML reads a text."""
    assert begin(folder, CONFIG) == "new"
    assert yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")) == CONFIG


def test_the_same_settings_go_on(folder: Path) -> None:
    """Catches a resumed run that begins again, or that rewrites what says how it was begun."""
    begin(folder, CONFIG)
    before = contents(folder)

    assert begin(folder, CONFIG) == "unfinished"
    assert contents(folder) == before


def fail(folder: Path, *work: str) -> None:
    """Begin, leave this work, and end with what a user can mend."""
    with held(folder):
        begin(folder, CONFIG)
        for path in (folder / name for name in work):
            path.parent.mkdir(exist_ok=True)
            path.touch()
        raise UserError("a misspelt path")


@pytest.mark.parametrize("name", ["runs/new", "runs/sweep/job", "elsewhere/new"])
def test_what_could_not_begin_leaves_nothing(tmp_path: Path, name: str) -> None:
    """Catches a folder for every mistake."""
    (tmp_path / "runs").mkdir()
    with pytest.raises(UserError, match="a misspelt path"):
        fail(tmp_path / name)
    assert [path.name for path in tmp_path.rglob("*")] == ["runs"]


@pytest.mark.parametrize("work", ["report.json", "checkpoints/last.ckpt"])
def test_what_holds_work_stays(tmp_path: Path, work: str) -> None:
    """Catches hours of training removed because the disk was full at their end, or at the start after it."""
    for _ in range(2):
        with pytest.raises(UserError, match="a misspelt path"):
            fail(tmp_path / "new", work)
        assert (tmp_path / "new" / work).exists()


def test_a_report_finishes_a_run(folder: Path) -> None:
    """Catches a finished run that would be trained again."""
    begin(folder, CONFIG)
    finish(folder, {"bleu": 93.5, "corpus": "été"})

    assert begin(folder, CONFIG) == "finished"
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == {"bleu": 93.5, "corpus": "été"}


def test_other_settings_are_refused_with_what_differs_and_nothing_is_touched(folder: Path) -> None:
    """Catches a run that goes on with other settings than its config.yaml says."""
    begin(folder, CONFIG)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints/last.ckpt").touch()
    before = contents(folder)

    with pytest.raises(UserError) as refusal:
        begin(folder, changed(seed=2, optim={"lr": 1e-5, "betas": [0.9, 0.99]}))

    message = str(refusal.value)
    assert "seed 1 -> 2" in message
    assert "optim.betas [0.9, 0.98] -> [0.9, 0.99]" in message
    assert "optim.lr" not in message
    assert "overwrite=true" in message
    assert contents(folder) == before


def test_a_run_without_a_checkpoint_gives_way_to_other_settings(folder: Path) -> None:
    """Catches a misspelt path that, once mended, is refused as another run's settings."""
    begin(folder, CONFIG)
    (folder / "subwords").mkdir()

    assert begin(folder, changed(seed=2)) == "new"
    assert yaml.safe_load((folder / "config.yaml").read_text())["seed"] == 2
    assert not (folder / "subwords").exists()


def test_differences_name_what_came_and_what_went() -> None:
    """Catches a comparison over the keys of one side only."""
    assert differences({"a": 1, "b": {"c": None}}, {"b": {"c": False}, "d": 2}) == [
        "a 1 -> (none)",
        "b.c null -> false",
        "d (none) -> 2",
    ]


@pytest.mark.parametrize("key", ["overwrite", "runs", "run"])
def test_settings_without_effect_may_differ(folder: Path, key: str) -> None:
    """Catches a refusal of the very command that is told to go on, from another place or with overwrite."""
    begin(folder, CONFIG)

    assert begin(folder, changed(**{key: "another"})) == "unfinished"


def test_overwrite_starts_over(folder: Path) -> None:
    """Catches a fresh run beside a former run's checkpoints."""
    begin(folder, CONFIG)
    finish(folder, {})
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints/last.ckpt").touch()

    assert begin(folder, changed(seed=2), overwrite=True) == "new"
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "config.yaml", "environment.json"]
    assert yaml.safe_load((folder / "config.yaml").read_text())["seed"] == 2


def test_overwrite_leaves_the_jobs_of_a_sweep(folder: Path) -> None:
    """Catches runs/tiny overwritten together with runs/tiny/seed=2, another run, or with their table."""
    job = folder / "seed=2"
    with held(job):
        begin(job, changed(seed=2))
    (folder / "sweep.md").touch()
    begin(folder, CONFIG)

    begin(folder, CONFIG, overwrite=True)

    assert (job / "config.yaml").exists()
    assert (folder / "sweep.md").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_run_is_never_touched(folder: Path, overwrite: bool) -> None:
    """Catches overwrite=true run=../thesis, or training into a folder of photographs."""
    (folder / "thesis.tex").write_text("years of work")

    with pytest.raises(UserError, match=r"holds thesis\.tex but no config\.yaml"):
        begin(folder, CONFIG, overwrite)

    assert (folder / "thesis.tex").read_text() == "years of work"
    assert not (folder / "config.yaml").exists()


def test_overwriting_that_was_killed_half_way_is_gone_on_with(folder: Path) -> None:
    """Catches a half-removed run taken for one to resume: new settings over old checkpoints."""
    begin(folder, CONFIG)
    (folder / "checkpoints").mkdir()
    (folder / "config.yaml").rename(folder / ".emptying")  # as far as it may come before a kill

    assert begin(folder, CONFIG) == "new"
    assert not (folder / "checkpoints").exists()
    assert not (folder / ".emptying").exists()


def test_a_kill_before_the_config_is_written_leaves_a_new_run(folder: Path) -> None:
    """Catches environment.json alone taken for a stranger's file."""
    begin(folder, CONFIG)
    (folder / "config.yaml").unlink()

    assert begin(folder, CONFIG) == "new"


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"seed: [1", b"", b"- 1"])
def test_a_damaged_config_is_said_in_one_line(folder: Path, damage: bytes) -> None:
    """Catches a traceback of the YAML reader."""
    begin(folder, CONFIG)
    (folder / "config.yaml").write_bytes(damage)

    with pytest.raises(UserError, match=r"config\.yaml is damaged"):
        begin(folder, CONFIG)
    assert begin(folder, CONFIG, overwrite=True) == "new"


HOLDER = """
import sys, time
from pathlib import Path
from heed.runs.run_folder import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_folder_is_held_by_one_process_until_that_dies(tmp_path: Path) -> None:
    """Catches two trainings writing the same checkpoints, and a lock that outlives a killed process."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"

        with pytest.raises(UserError, match="another process trains in"), held(tmp_path):
            pass

        os.kill(holder.pid, signal.SIGKILL)
    with held(tmp_path):
        pass


@pytest.mark.parametrize("name", ["", ".", "..", "../other", "a/../../b", "/etc", ".hidden"])
def test_a_name_that_leads_out_of_runs_is_refused(name: str) -> None:
    """Catches run=../.. together with overwrite=true."""
    with pytest.raises(UserError, match="expected a name"):
        run_path("runs", name)


def test_a_nested_name_is_a_job_of_a_sweep() -> None:
    """Catches a check that takes every slash for an escape."""
    assert run_path("runs", "tiny/seed=2,optim.lr=0.1") == Path("runs/tiny/seed=2,optim.lr=0.1")


def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    """Catches a traceback for runs=/somewhere/that/is/a/file."""
    (tmp_path / "file").touch()

    with pytest.raises(UserError, match="cannot be written"), held(tmp_path / "file/run"):
        pass


def test_the_environment_says_what_a_result_depends_on() -> None:
    """Catches a record without the commit, the versions or the command by which a run could be made again."""
    found = json.loads(json.dumps(environment(CONFIG)))

    assert found["seed"] == 1
    assert "pytest" in found["command"]
    assert found["packages"]["torch"] == torch.__version__
    assert found["machine"]["cores"] == os.cpu_count()
    assert found["machine"]["cpu"]


def test_a_job_in_a_process_of_its_own_knows_what_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches the command line of joblib's worker, which says nothing of the run, in its record."""
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "joblib.worker", "--pipe", "14"])
    monkeypatch.setattr(sys, "argv", ["heed/train.py", "--multirun", "seed=1,2"])
    assert environment(CONFIG)["command"] == f"{sys.executable} heed/train.py --multirun seed=1,2"
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "heed.train", "--multirun", "seed=1,2"])
    assert environment(CONFIG)["command"] == "python -m heed.cli.train --multirun seed=1,2"


def test_the_commit_is_git_s_own() -> None:
    """Catches a commit of the folder that the command happened to be typed in."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False)
    if commit.returncode:
        assert environment(CONFIG)["git"] is None
    else:
        assert environment(CONFIG)["git"]["commit"] == commit.stdout.strip()
