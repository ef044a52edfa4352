"""Output if the terminal's encoding lacks characters."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from heed.cli.terminal import HarmlessLines
from tests.support.commands import forked
from tests.support.model_folder import SOURCES, TARGETS, write, write_lines
from tests.support.small_run import overrides

CODE = "from heed.cli.entry import start; import sys; name = sys.argv.pop(1); start(name)"


def test_training_prints_what_the_terminal_can_show(tmp_path: Path) -> None:
    """Catches a traceback at the first dash that the encoding lacks, after the vocabularies were trained."""
    settings = overrides(tmp_path / "läufe", "progress_bar=false", "run=größe", "trainer.max_steps=1", "heatmaps=0")
    environment = {**os.environ, "PYTHONIOENCODING": "latin1"}
    command = [sys.executable, "-c", CODE, "train", *settings]
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)

    assert (found.returncode, b"Traceback" in found.stderr) == (0, False)
    assert " ------" in found.stdout.decode("latin1")
    assert "läufe/größe/model" in found.stdout.decode("latin1")
    finished = forked(tmp_path, "train", *settings, encoding="ascii")
    assert r"l\xe4ufe/gr\xf6\xdfe/model" in finished.out


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "koi8-r"])
def test_the_other_commands_print_what_the_terminal_can_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """Catches a command that fails on a character of a help text or of a warning; translations are always UTF-8."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "model")
    for side, lines in (("en", SOURCES), ("fr", [line.replace("chien", "chien\u202f龍") for line in TARGETS])):
        write_lines(tmp_path / f"龍.{side}", lines)
    corpus = [f"corpus.{key}" for key in ("name=龍", "src_lang=en", "tgt_lang=fr", "test=龍")]
    for name, *arguments in (
        ("evaluate", "model=model", "corpus=files", *corpus, "search.max_len=9", "heatmaps=0"),
        ("align", "model=model", "source=龍.en", "target=龍.fr", "output=龍.align"),
        ("translate", "--help"),
        ("translate", "model=model", "show_attention=true", "search.max_len=5"),
    ):
        found = forked(tmp_path, name, *arguments, stdin="a 龍 barks\n".encode(), encoding=encoding)
        assert (found.code, found.err.count("Traceback")) == (0, 0), found.err
        found.out.encode("utf-8", "surrogateescape").decode(encoding if name != "translate" else "utf-8")


def test_output_contains_no_control_sequence(tmp_path: Path) -> None:
    """Catches a file name that sets the title of a terminal, in the output or in a log line of the library."""
    output = tmp_path / "\x1b]0;mine\x07" / "page.html"
    found = forked(tmp_path, "export", "page", f"model={write(tmp_path / 'model')}", f"output={output}")
    assert found.code == 0
    assert output.is_file()
    assert "\N{REPLACEMENT CHARACTER}]0;mine\N{REPLACEMENT CHARACTER}/page.html" in found.out
    assert "\x1b" not in found.out + found.err

    record = logging.LogRecord("heed", logging.INFO, "", 0, "\x1b[2Jone\ntwo", (), None)
    assert HarmlessLines("%(message)s").format(record) == "\N{REPLACEMENT CHARACTER}[2Jone\ntwo"
