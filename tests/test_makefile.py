"""The arguments that `make` passes to the commands; a run's name is never interpreted by the shell."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

ROOT = Path(__file__).parents[1]

NAMES = (
    "tiny",
    "x; touch harm",
    "two words",
    "o'clock",
    'a "quote"',
    "$(shell touch harm)",
    "`touch harm`",
    "$HOME",
    "a-*",
)

OF_MAKE = ("ARGS", "MAKEFLAGS", "MAKEOVERRIDES", "PORT", "RUN")
"""What `make test ARGS=-x` hands on to every make below it."""

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile, and with commands that record their arguments instead of running."""
    folder = tmp_path / "a checkout"
    (folder / ".venv/bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("python", "tensorboard"):
        command = folder / ".venv/bin" / name
        command.write_text('#!/bin/sh\nfor argument; do printf "%s\\0" "$argument"; done > arguments\n')
        command.chmod(0o755)
    return folder


def make(checkout: Path, *arguments: str) -> list[str]:
    """Run a target as after `make setup`, and return the arguments of the last command that it ran."""
    marks = ["--old-file=.venv/.ready", "--old-file=.venv/.checkers"]
    environment = {name: value for name, value in os.environ.items() if name not in OF_MAKE}
    outcome = subprocess.run(
        ["make", *marks, *arguments], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    assert sorted(path.name for path in checkout.iterdir()) in (
        [".venv", "Makefile", "arguments"],
        [".venv", "Makefile", "arguments", "runs"],
    )
    return (checkout / "arguments").read_text().split("\0")[:-1]


@pytest.mark.parametrize("target", ["evaluate", "translate", "align"])
@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_run_reaches_the_command_whole(checkout: Path, target: str, name: str) -> None:
    """Catches `make translate RUN='x; touch y'` that runs touch, and a name that a space or a quote cuts."""
    *_, setting = make(checkout, target, f"RUN={name}")
    override = OverridesParser.create().parse_override(setting)
    assert (override.key_or_group, override.value()) == ("model", f"runs/{name}/model")


@pytest.mark.parametrize("given", ["{}", "runs/{}"])
@pytest.mark.parametrize("name", NAMES)
def test_training_is_given_the_name_without_its_folder(checkout: Path, given: str, name: str) -> None:
    """Catches a run in runs/runs/NAME, and a name that is cut."""
    *_, setting = make(checkout, "train", f"RUN={given.format(name)}")
    override = OverridesParser.create().parse_override(setting)
    assert (override.key_or_group, override.value()) == ("run", name)


def test_commands_may_keep_compiled_modules(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches starts that each compile PyTorch and Lightning again, because an image forbids Python to keep that."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    command = checkout / ".venv/bin/python"
    command.write_text('#!/bin/sh\nprintf "%s\\0" "${PYTHONDONTWRITEBYTECODE-unset}" > arguments\n')
    assert make(checkout, "train") == ["unset"]


def test_without_a_name_training_chooses_it(checkout: Path) -> None:
    """Catches a default of the Makefile that overrides the name from the settings."""
    assert make(checkout, "train") == ["-m", "heed", "train"]
    assert make(checkout, "train", "ARGS=seed=2 run=b") == ["-m", "heed", "train", "seed=2", "run=b"]


@pytest.mark.parametrize("name", NAMES)
def test_the_board_shows_the_run_with_all_its_pictures(checkout: Path, name: str) -> None:
    """Catches a board that shows only ten attention maps of a run, and a name that is run as a command."""
    (checkout / "runs" / name).mkdir(parents=True)
    arguments = make(checkout, "board", f"RUN={name}")
    assert arguments[:2] == ["--logdir", f"runs/{name}"]
    assert arguments[2:4] == ["--samples_per_plugin", "images=1000"]


def test_help_names_every_target(checkout: Path) -> None:
    """Catches a target that is missing in the help."""
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    targets = next(line for line in text.splitlines() if line.startswith(".PHONY:")).split()[1:]
    command = [
        "make",
        "--no-print-directory",
        "help",
    ]  # without the flag, make would print the folder if `make test` runs this test
    shown = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in shown.split("\n\n")[0].splitlines()} == set(targets)


def test_an_environment_that_heed_has_not_made_is_kept(tmp_path: Path) -> None:
    """Catches a .venv of another tool, without pip, that is removed to create a new one."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/mine").write_text("mine")
    outcome = subprocess.run(["make", "setup"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert outcome.returncode == 2
    assert ".venv is there, and heed cannot use it and has not made it: move it away" in outcome.stdout + outcome.stderr
    assert [path.name for path in (tmp_path / ".venv").iterdir()] == ["mine"]
