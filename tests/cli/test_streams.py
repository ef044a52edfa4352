"""Streams that are closed, full or untrusted: one line, exit code 2, and never a traceback."""

import lzma
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from heed.text.subwords import Subwords
from heed.translator import load
from tests.support.commands import forked
from tests.support.model_folder import SOURCES, TARGETS, write, write_lines


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("run") / "model")


def shell(line: str, folder: Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    heed = f"{sys.executable} -m heed translate model={folder} search.max_len=5"
    return subprocess.run(line.replace("HEED", heed), shell=True, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("echo a dog | HEED >&-", "standard output is closed; redirect it to a file, or to /dev/null"),
        ("HEED <&-", "standard input is closed; redirect a file to it (< FILE), or give input=FILE"),
        ("echo a dog | HEED >/dev/full", "standard output cannot be written (No space left on device)"),
        ("echo a dog > i; HEED input=i output=/dev/full", "/dev/full cannot be written (No space left on device)"),
    ],
)
def test_a_stream_that_cannot_be_used_is_reported_in_one_line(
    folder: Path, tmp_path: Path, line: str, message: str
) -> None:
    """Catches a traceback, and a message that is written to standard output."""
    found = shell(line, folder, tmp_path)

    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith(f"heed-translate: {message}")
    assert found.stderr.count("\n") == 1


@pytest.mark.parametrize(("end", "code", "lines"), [("| true", 141, 0), ("> /dev/full", 2, 1)])
def test_help_that_cannot_be_written_has_no_traceback(
    folder: Path, tmp_path: Path, end: str, code: int, lines: int
) -> None:
    """Catches a traceback after `heed-translate --help | head`."""
    quit_early = f"bash -c 'set -o pipefail; {{ HEED --help; }} {end}'"
    found = shell(quit_early.replace("{ HEED", "{ sleep 1; HEED"), folder, tmp_path)

    assert (found.returncode, found.stderr.count("\n")) == (code, lines)


@pytest.mark.parametrize("end", ["2>&-", "2>/dev/full"])
def test_translations_do_not_need_standard_error(folder: Path, tmp_path: Path, end: str) -> None:
    """Catches messages among the translations, and translations that are lost because a message cannot be written."""
    found = shell(f"echo a dog | HEED {end}", folder, tmp_path)

    assert (found.returncode, found.stdout.count("\n")) == (0, 1)


def test_files_can_replace_the_streams(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches files that give another result than the streams, and an output that overwrites an existing file."""
    write_lines(tmp_path / "text.en", SOURCES)
    model = f"model={folder}"
    streamed = forked(tmp_path, "translate", model, stdin=(tmp_path / "text.en").read_bytes())
    monkeypatch.chdir(tmp_path)

    assert forked(tmp_path, "translate", model, "input=text.en", "output=text.fr").out == ""
    assert Path("text.fr").read_text(encoding="utf-8") == streamed.out
    again = forked(tmp_path, "translate", model, "input=text.en", "search=beam", "output=text.fr")
    assert (again.code, again.err.count("\n"), "text.fr already exists" in again.err) == (2, 1, True)
    assert Path("text.fr").read_text(encoding="utf-8") == streamed.out
    Path("text.en.xz").write_bytes(lzma.compress(Path("text.en").read_bytes()))
    Path("text.en").unlink()
    assert forked(tmp_path, "translate", model, "input=text.en").out == streamed.out
    refused = forked(tmp_path, "translate", model, "input=text.fr", "output=./text.fr")
    assert (refused.code, "would overwrite input=text.fr" in refused.err) == (2, True)
    assert "gone does not exist; check the path" in forked(tmp_path, "translate", model, "input=gone").err


def test_unknown_words_and_cut_lines_are_reported_at_the_end(folder: Path, tmp_path: Path) -> None:
    """Catches missing warnings about unknown letters and about translations that were cut."""
    found = forked(tmp_path, "translate", f"model={folder}", "search.max_len=2", stdin="a dog\na ЖЖ dog\n".encode())

    assert found.code == 0
    assert "1 of 2 lines contain words with letters that the model does not know (the first is line 2)" in found.err
    assert "were cut at the maximum length, because the model did not end them" in found.err


def test_a_word_that_is_read_letter_by_letter_is_named(folder: Path) -> None:
    """Catches a missing warning for an unusual word whose letters are all known."""
    one = load(folder).translate("a dog ggiissgg ЖЖ 1 a")

    assert one.unknown_words == ["ЖЖ", "1"]
    assert one.spelled_words == ["ggiissgg"]


def hostile(folder: Path) -> Path:
    """A model with subwords that contain the control sequence that sets a terminal's title."""
    write(folder)
    size = len(Subwords.load(folder / "target.model"))
    lines = [f"\x1b]0;owned\x07{word}" for line in TARGETS for word in line.split()]
    subwords = Subwords.train(lines, kind="bpe", vocab_size=size, normalization="identity")
    assert len(subwords) == size
    assert any("\x1b" in piece for piece in subwords.pieces(range(size)))
    subwords.save(folder / "target.model")
    return folder


def test_a_control_sequence_of_a_model_does_not_reach_a_terminal(tmp_path: Path) -> None:
    """Catches an untrusted vocabulary that sets the terminal's title, its cursor or the clipboard."""
    model = hostile(tmp_path / "model")
    terminal, inside = pty.openpty()
    command = [sys.executable, "-m", "heed.cli.translate", f"model={model}", "search.max_len=30", "show_attention=true"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=inside, stderr=inside)
    os.close(inside)
    assert process.stdin
    process.stdin.write("".join(f"{line}\n" for line in SOURCES).encode())
    process.stdin.close()
    shown = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
    assert process.wait() == 0
    assert "�" in shown.decode()
    assert b"\x1b]" not in shown
    assert b"\x07" not in shown


def test_a_prompt_has_a_history(folder: Path) -> None:
    """Catches an up key that prints `^[[A` instead of the previous line, and a missing note about an unknown word."""
    terminal, inside = pty.openpty()
    command = [sys.executable, "-m", "heed.cli.translate", f"model={folder}", "search.max_len=3"]
    process = subprocess.Popen(command, stdin=inside, stdout=inside, stderr=inside, env={**os.environ, "TERM": "xterm"})
    os.close(inside)
    read_until(terminal, b"> ")
    os.write(terminal, "a ЖЖ dog\n".encode())
    first = read_until(terminal, b"> ").decode()
    os.write(terminal, b"\x1b[A\n")
    again = read_until(terminal, b"> ").decode()
    os.write(terminal, b"\x04")
    assert process.wait(60) == 0
    os.close(terminal)

    assert "(ЖЖ: unknown: contains letters that the model was not trained on)" in first
    assert again.startswith("a ЖЖ dog")
    assert again.splitlines()[1:] == first.splitlines()[1:]


def read_until(descriptor: int, end: bytes) -> bytes:
    found = b""
    while not found.endswith(end):
        ready, _, _ = select.select([descriptor], [], [], 60)
        assert ready, f"nothing more came after {found!r}"
        found += os.read(descriptor, 1000)
    return found


@pytest.mark.parametrize(
    "arguments", [["align", "model=x"], ["train", "--multirun", "seed=1,2"], ["train", "--cfg", "job"]]
)
def test_a_current_folder_that_was_removed_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """Catches a traceback from the first code that asks for the current folder."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    found = forked(tmp_path, *arguments)
    assert found.code == 2
    assert found.err == f"heed-{arguments[0]}: the folder that you are in was removed; go to another one\n"
