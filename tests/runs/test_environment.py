import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from heed.runs.environment import environment

CONFIG: dict[str, Any] = {"seed": 1}


def test_the_environment_records_what_a_result_depends_on() -> None:
    """Catches a record without the seed, the command, the versions or the machine, so that a run cannot be repeated."""
    found = json.loads(json.dumps(environment(CONFIG)))

    assert found["seed"] == 1
    assert "pytest" in found["command"]
    assert found["packages"]["torch"] == torch.__version__
    assert found["machine"]["cores"] == os.cpu_count()
    assert found["machine"]["cpu"]


def test_a_job_in_a_separate_process_records_the_command_that_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches the command line of joblib's worker in the record."""
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "joblib.worker", "--pipe", "14"])
    monkeypatch.setattr(sys, "argv", ["heed/train.py", "--multirun", "seed=1,2"])
    assert environment(CONFIG)["command"] == f"{sys.executable} heed/train.py --multirun seed=1,2"
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "heed.cli.train", "--multirun", "seed=1,2"])
    assert environment(CONFIG)["command"] == "python -m heed.cli.train --multirun seed=1,2"


def test_the_commit_is_git_s_own() -> None:
    """Catches the commit of the working directory instead of heed's."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False)
    if commit.returncode:
        assert environment(CONFIG)["git"] is None
    else:
        assert environment(CONFIG)["git"]["commit"] == commit.stdout.strip()


def test_a_system_without_proc_and_sysconf_has_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a traceback at the start of a run on Windows, or in a sandbox without /proc."""
    read_text = Path.read_text

    def missing(path: Path, **arguments: Any) -> str:
        if path.parts[1:2] == ("proc",):
            raise FileNotFoundError
        return read_text(path, **arguments)

    monkeypatch.delattr(os, "sysconf")
    monkeypatch.setattr(Path, "read_text", missing)
    machine = json.loads(json.dumps(environment(CONFIG)))["machine"]
    assert machine["memory_gib"] is None
    assert isinstance(machine["cpu"], str)
