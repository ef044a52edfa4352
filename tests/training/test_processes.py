"""Two real processes that train one model, started by torchrun, or as forks, which start sooner."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from heed.errors import UserError
from heed.experiment import train
from heed.training.processes import started_processes
from tests.support.commands import Outcome, started_in_two
from tests.support.small_run import TOGETHER, differences, events, last_checkpoint, overrides, report, settings

ROOT = Path(__file__).parents[2]

EQUAL = [
    "corpus.valid=22",  # and 400 training pairs: the last batch of both splits is a single pair, for two processes
    "batches.sentences=21",
    "batches.accumulate=3",
    "model.dropout=0.0",
    "teacher_forcing.end=1.0",
    "r_drop=2.0",
    "ema=0.9",
    "trainer.max_steps=60",
    "trainer.validate_steps=20",
    "precision=float32",
]
"""Options without random numbers, which differ between processes, and without bfloat16, which rounds partial sums."""


def by_torchrun(runs: Path, *more: str) -> Outcome:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    given = overrides(runs, *EQUAL, "distributed=true", "device=cpu", *more)
    command = [*torchrun, "-m", "heed", "train", *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)


def in_two(runs: Path, *more: str, options: Sequence[str] = EQUAL) -> Outcome:
    return started_in_two(runs, *overrides(runs, *options, *more)).wait()


def killed_in_two(runs: Path, name: str, options: Sequence[str] = EQUAL) -> None:
    """Begin a run of two processes, and kill the second one after the first checkpoint."""
    last = runs / name / "checkpoints" / "last.ckpt"
    launcher = started_in_two(runs, *overrides(runs, *options, f"run={name}"))
    while not last.exists() and launcher.running():
        time.sleep(0.01)
    assert launcher.running(), launcher.err.read_text()
    os.kill(int((runs / ".rank-1").read_text()), signal.SIGKILL)
    assert launcher.wait().code != 0
    assert not (runs / name / "report.json").exists()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run, `together`, of two processes of torchrun; the file `printed` has their output."""
    runs = tmp_path_factory.mktemp("runs")
    done = by_torchrun(runs, "run=together")
    assert done.code == 0, done.err
    (runs / "printed").write_text(done.out)
    return runs


@pytest.mark.slow
def test_two_processes_train_the_model_that_one_process_trains(runs: Path) -> None:
    """Catches gradients averaged over ranks instead of tokens, pairs seen twice or never, and scores of half a split.

    Each process computes its share in parts, which also catches gradients that are sent before all parts are done.
    """
    alone = train(settings(runs, "run=alone", *EQUAL, "batches.accumulate=1")).folder
    one, two = last_checkpoint(alone), last_checkpoint(runs / "together")
    torch.testing.assert_close(two["state_dict"], one["state_dict"], rtol=0, atol=1e-5)
    assert two["callbacks"]["Clock"]["tokens"] == one["callbacks"]["Clock"]["tokens"]
    for mine, theirs in zip(report(alone)["history"], report(runs / "together")["history"], strict=True):
        assert theirs == pytest.approx(mine, rel=1e-5)


@pytest.mark.slow
def test_two_processes_write_and_print_everything_once(runs: Path) -> None:
    """Catches a table, an event file or a point of a curve for each process."""
    printed = (runs / "printed").read_text()
    assert printed.count("pairs read") == printed.count("perplexity") == printed.count("next  ") == 1
    assert len(re.findall(r"^ +\d+ +\d\.\d ", printed, re.MULTILINE)) == 3
    assert len(list((runs / "together" / "tensorboard").iterdir())) == 1
    assert [step for step, _ in events(runs / "together")["train/loss"]] == list(range(5, 61, 5))


@pytest.mark.slow
def test_a_killed_process_ends_the_other_and_the_same_command_resumes(runs: Path) -> None:
    """Catches a process that waits forever for a dead one, and a resumed run that differs from an uninterrupted one."""
    killed_in_two(runs, "killed")
    assert in_two(runs, "run=killed").code == 0
    assert differences(runs / "killed", runs / "together") == []


@pytest.mark.slow
@pytest.mark.parametrize("options", TOGETHER, ids=["guided", "sampled"])
def test_a_run_with_all_options_is_resumed_in_two_processes(tmp_path: Path, options: Sequence[str]) -> None:
    """Catches state that only one process saves, such as averages, random state or drawn subwords."""
    longer = [*options, "trainer.max_steps=60", "trainer.validate_steps=20"]
    together = in_two(tmp_path, "run=together", options=longer)
    assert together.code == 0, together.err
    killed_in_two(tmp_path, "killed", options=longer)
    assert in_two(tmp_path, "run=killed", options=longer).code == 0
    assert differences(tmp_path / "killed", tmp_path / "together") == []


@pytest.mark.slow
def test_one_refusal_ends_all_and_is_reported_once(runs: Path) -> None:
    """Catches an error line for each process, a process that waits for a refused one, and the exit code of a bug."""
    refused = in_two(runs, "run=together", "seed=2")
    assert refused.err.count("heed-train: ") == 1
    assert "contains a run with other settings (seed 1 -> 2)" in refused.err
    assert re.findall(r"exitcode *: (\d+)", refused.err)[-1] == "2"
    assert "pairs read" not in refused.out


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["modle.hid_dim=8", "optim.lr=-1"])
def test_a_wrong_setting_is_reported_once(runs: Path, wrong: str) -> None:
    """Catches an error line for each process, whether the setting is checked before or after the processes join."""
    refused = in_two(runs, "run=wrong", wrong)
    assert refused.err.count("heed-train: ") == 1
    assert re.findall(r"exitcode *: (\d+)", refused.err)[-1] == "2"
    assert not (runs / "wrong").exists()


@pytest.mark.slow
def test_no_process_trains_a_finished_run(runs: Path) -> None:
    """Catches a process that trains although the first one has found the run finished."""
    again = in_two(runs, "run=together")
    assert again.code == 0
    assert again.out.count("was already finished") == again.out.count("next  ") == 1


@pytest.mark.slow
def test_a_folder_that_is_not_shared_is_refused(tmp_path: Path) -> None:
    """Catches machines that resume from different checkpoints because each has its own folder."""
    refused = in_two(tmp_path, "run=together", "runs=" + str(tmp_path / "disk-${oc.env:RANK}"))
    assert refused.err.count("heed-train: ") == 1
    assert "disk-1/together is not the same folder for all processes" in refused.err
    assert not (tmp_path / "disk-1").exists()


def test_processes_and_config_must_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches two processes that both train the whole run in one folder, and one that waits for others in vain."""
    with pytest.raises(UserError, match="started by torchrun"):
        started_processes(True)
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "2"), ("LOCAL_WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    assert started_processes(True) == (1, 2, 2)
    with pytest.raises(UserError, match="give distributed=true"):
        started_processes(False)
