"""Without modules that Windows lacks, such as fcntl, heed loads a model and translates."""

import subprocess
import sys
from pathlib import Path

from tests.support.model_folder import write

BLOCK = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "grp", "pwd", "readline", "resource", "termios", "tty"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in ("fcntl", "grp", "pwd", "readline", "resource", "termios", "tty"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
"""


def run(code: str, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", BLOCK + code, *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def test_a_model_translates_and_aligns(tmp_path: Path) -> None:
    """Catches a module that imports, at its top, a package that Windows does not have."""
    folder = write(tmp_path / "model")
    code = """
import heed
model = heed.load(sys.argv[1])
assert model.translate("a dog").source_words == ["a", "dog"]
assert len(model.align(["a dog"], ["un chien"])) == 1
assert "fcntl" not in sys.modules
"""
    found = run(code.replace("import heed", "import sys, heed"), str(folder))
    assert (found.returncode, found.stderr) == (0, "")


def test_the_commands_work(tmp_path: Path) -> None:
    """Catches `--help` that fails at an import for locks, and a command that needs locks to write files."""
    folder = write(tmp_path / "model")
    for name in ("train", "evaluate", "translate", "align"):
        found = run(f"from heed.cli.entry import {name}; import sys; sys.argv = ['heed', '--help']; {name}()")
        assert (found.returncode, found.stderr) == (0, ""), name
    arguments = [f"model={folder}", f"output={tmp_path / 'out'}"]
    found = run("from heed.cli.entry import translate; translate()", *arguments, stdin="a dog\r\n")
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "out").read_bytes().count(b"\n") == 1
    assert b"\r" not in (tmp_path / "out").read_bytes()
