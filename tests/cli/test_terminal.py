"""Output if the terminal's encoding lacks characters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.model_folder import SOURCES, TARGETS, write, write_lines
from tests.support.small_run import overrides

CODE = "from heed.cli.entry import start; import sys; name = sys.argv.pop(1); start(name)"


def run(folder: Path, encoding: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-c", CODE, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, input=stdin, check=False)


def test_training_prints_what_the_terminal_can_hold(tmp_path: Path) -> None:
    """Catches a traceback at the first dash, after the vocabularies were trained."""
    settings = overrides(tmp_path / "läufe", "progress_bar=false", "run=größe")
    found = run(tmp_path, "latin1", "train", *settings)

    assert (found.returncode, b"Traceback" in found.stderr) == (0, False)
    assert " ------" in found.stdout.decode("latin1")
    assert "läufe/größe/model" in found.stdout.decode("latin1")
    finished = run(tmp_path, "ascii", "train", *settings).stdout.decode("ascii")
    assert r"l\xe4ufe/gr\xf6\xdfe/model" in finished


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "koi8-r"])
def test_the_other_commands_do_so_too(tmp_path: Path, encoding: str) -> None:
    """Catches a sign in a help text or in a warning that ends the command; translations themselves are UTF-8."""
    write(tmp_path / "model")
    for side, lines in (("en", SOURCES), ("fr", [line.replace("chien", "chien\u202f龍") for line in TARGETS])):
        write_lines(tmp_path / f"龍.{side}", lines)
    corpus = [f"corpus.{key}" for key in ("name=龍", "src_lang=en", "tgt_lang=fr", "test=龍")]
    for arguments in (
        ("evaluate", "model=model", "corpus=files", *corpus, "search.max_len=9", "heatmaps=0"),
        ("align", "model=model", "source=龍.en", "target=龍.fr", "output=龍.align"),
        ("translate", "--help"),
        ("translate", "model=model", "show_attention=true", "search.max_len=5"),
    ):
        found = run(tmp_path, encoding, *arguments, stdin="a 龍 barks\n".encode())
        assert (found.returncode, found.stderr.count(b"Traceback")) == (0, 0), found.stderr
        found.stdout.decode(encoding if arguments[0] != "translate" else "utf-8")
