"""heed-translate with real pipes and a real terminal: one line of output for each line of input."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heed import bundle
from heed.cli.input_lines import blocks
from heed.cli.translate import Settings, translate
from heed.errors import UserError
from heed.translator import Precision, load
from tests.support.commands import forked
from tests.support.model_folder import SOURCES, TARGETS, write
from tests.support.settings import settings_of

Run = Callable[[bytes], tuple[bytes, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("run") / "model")


def expected(folder: Path, lines: list[str]) -> list[str]:
    return [found.text for found in load(folder, precision="float32").translate(lines, max_len=12)]


def exact(folder: Path) -> list[str]:
    """The settings that give the translations of `expected`."""
    return [f"model={folder}", "search.max_len=12", "precision=float32"]


def command(folder: Path, *overrides: str) -> list[str]:
    return [sys.executable, "-m", "heed.cli.translate", *exact(folder), *overrides]


def read_in(chunks: list[bytes]) -> list[bytes]:
    """The blocks that `blocks` yields from a pipe into which these chunks are written one by one."""
    found = []
    read_end, write_end = os.pipe()
    lines = blocks(read_end, lambda: None)
    for chunk in filter(None, chunks):
        os.write(write_end, chunk)
        if b"\n" in chunk:
            found += next(lines)
    os.close(write_end)
    found += [line for block in lines for line in block]
    os.close(read_end)
    return found


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\xc3", b"\xa9", b" ", b"\0"])).map(b"".join)))
def test_lines_do_not_depend_on_the_chunks_in_which_they_are_written(chunks: list[bytes]) -> None:
    """Catches a line or a letter cut at the end of a chunk, and a complete line that is not yielded at once."""
    whole = b"".join(chunks)

    assert read_in(chunks) == (whole.removesuffix(b"\n").split(b"\n") if whole else [])


def test_each_line_is_translated_before_the_next_is_read(folder: Path) -> None:
    """Catches output that waits for the end of the input, lines out of order, and notes on stdout or repeated."""
    process = subprocess.Popen(command(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        answers = []
        for line in SOURCES:
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            answers.append(process.stdout.readline().decode().removesuffix("\n"))
        process.stdin.write(b"a cat\r\nno end of line")
        process.stdin.close()
        rest = process.stdout.read().decode().splitlines()
        remarks = process.stderr.read().decode().splitlines()

    assert process.returncode == 0
    kinds = ("do not know", "does not know", "did not end")
    assert [sum(kind in line for line in remarks) for kind in kinds] == [0, 1, 1]
    assert len(remarks) == len({line.partition(" lines ")[2] for line in remarks})
    assert answers == expected(folder, SOURCES)
    assert rest == expected(folder, ["a cat", "no end of line"])


def test_what_is_not_utf8_is_translated_as_far_as_it_goes_and_reported(folder: Path, tmp_path: Path) -> None:
    """Catches a stream that breaks off, lines that are lost or moved, and an error that is not reported."""
    given_lines = b"a dog\na \xff dog\n\na caf\xe9\na dog\n"
    found = forked(tmp_path, "translate", *exact(folder), stdin=given_lines)

    assert found.code == 2
    assert found.out.splitlines() == expected(folder, ["a dog", "a � dog", "", "a caf�", "a dog"])
    assert found.err.count("\n") == 1
    assert "line 2 and 1 more are not UTF-8" in found.err

    output = tmp_path / "out.txt"
    assert forked(tmp_path, "translate", *exact(folder), f"output={output}", stdin=given_lines).code == 2
    assert output.read_text(encoding="utf-8") == found.out


def test_at_a_terminal_it_greets_prompts_and_ends_with_ctrl_d(folder: Path) -> None:
    """Catches a silent start, prompts on stdout, and an end with a traceback."""
    terminal, inside = pty.openpty()
    process = subprocess.Popen(command(folder), stdin=inside, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        assert process.stdout
        assert process.stderr
        os.close(inside)
        shown = read_until(process.stderr.fileno(), b"> ")
        os.write(terminal, b"a dog\n")
        answer = process.stdout.readline().decode()
        shown += read_until(process.stderr.fileno(), b"> ")
        os.write(terminal, b"\x04")
        shown += process.stderr.read()
        assert process.stdout.read() == b""
    os.close(terminal)

    assert process.returncode == 0
    assert answer.splitlines() == expected(folder, ["a dog"])
    assert b"from en to fr" in shown
    assert b"Ctrl-D" in shown
    assert shown.endswith(b"> > \n")


def read_until(descriptor: int, end: bytes) -> bytes:
    found = b""
    while not found.endswith(end):
        ready, _, _ = select.select([descriptor], [], [], 60)
        assert ready, f"nothing more came after {found!r}"
        chunk = os.read(descriptor, 1000)
        assert chunk, f"the command ended after {found!r}"
        found += chunk
    return found


def test_with_attention_the_alignment_goes_to_standard_error(folder: Path, tmp_path: Path) -> None:
    """Catches alignments among the translations, a setting that Hydra refuses, and a missing word."""
    lines = ["a dog barks", "", "the cat"]
    given_lines = "\n".join(lines).encode()
    found = forked(tmp_path, "translate", *exact(folder), "show_attention=true", stdin=given_lines)

    texts = expected(folder, lines)
    assert found.out.split("\n") == [*texts, ""]
    shown = found.err.split("\n")
    assert shown[0].split() == texts[0].split()
    assert set(shown[1].split()) <= {"a", "dog", "barks", "</s>"}
    assert len(shown[2].split()) == len(texts[0].split())
    assert all(0 < int(weight.removesuffix("%")) <= 100 for weight in shown[2].split())


def test_interactive_acts_as_at_a_terminal_for_lines_from_a_pipe(folder: Path, tmp_path: Path) -> None:
    """Catches a flag that Hydra refuses or that is ignored in a pipe, and prompts among the translations."""
    found = forked(tmp_path, "translate", *exact(folder), "--interactive", stdin=b"a dog\n")

    (text,) = expected(folder, ["a dog"])
    assert found.out == f"{text}\n"
    shown = found.err
    assert "from en to fr" in shown
    assert shown.count("> ") == 2
    assert "%" in shown


@pytest.mark.parametrize("overrides", [(), ("show_attention=false",)])
def test_at_a_terminal_the_alignment_is_printed_below_the_translation(folder: Path, overrides: tuple[str, ...]) -> None:
    """Catches a missing alignment, show_attention=false that is ignored, and an alignment before its translation."""
    terminal, inside = pty.openpty()
    process = subprocess.Popen(command(folder, *overrides), stdin=inside, stdout=inside, stderr=inside)
    os.close(inside)
    read_until(terminal, b"> ")
    os.write(terminal, b"a dog\n")
    shown = read_until(terminal, b"> ").decode().replace("\r", "").split("\n")
    os.write(terminal, b"\x04")
    assert process.wait(60) == 0
    os.close(terminal)

    (text,) = expected(folder, ["a dog"])
    assert shown[:2] == ["a dog", text]
    assert any("%" in line for line in shown[2:]) is (not overrides)


def run_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, overrides: list[str], lines: bytes) -> list[str]:
    """Run the command in this process, and return the lines that it prints."""
    (tmp_path / "in").write_bytes(lines)
    with (tmp_path / "in").open() as source, (tmp_path / "out").open("w") as out:
        monkeypatch.setattr(sys, "stdin", source)
        monkeypatch.setattr(sys, "stdout", out)
        translate(settings_of("translate", Settings, *overrides))
    return (tmp_path / "out").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    "overrides",
    [
        ["search=beam", "search.n_best=3"],
        ["search=sample", "search.n_best=3", "search.seed=5"],
        ["search=mbr", "search.method=sample", "search.n_best=3"],
    ],
)
def test_n_best_lists(folder: Path, overrides: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Catches lists out of order, sentence numbers that restart, and a first candidate that is not the best."""
    lines = run_command(monkeypatch, tmp_path, [f"model={folder}", *overrides], b"a dog barks\n\nthe cat\n")
    parts = [line.split(" ||| ") for line in lines]

    assert [number for number, *_ in parts] == ["0"] * 3 + ["1"] + ["2"] * 3
    for number in ("0", "2"):
        scores = [float(score) for place, _, score in parts if place == number]
        assert scores == sorted(scores, reverse=True)
    if "search=beam" in overrides:
        one = run_command(monkeypatch, tmp_path, [f"model={folder}", "search=beam"], b"a dog barks\n\nthe cat\n")
        assert one == [parts[0][1], "", parts[4][1]]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["search.name=greddy"], "search=greddy: there is no such search; expected .*; did you mean greedy"),
        (["search=beam", "search.n_best=6"], "n_best must be at least 1 and at most beam_size, got n_best=6"),
        (["search=sample", "search.temperature=0.0"], "search.temperature=0.0, expected 0.000001 to 1000000"),
        (["search=sample", "search.top_p=0.0"], "search.top_p=0.0, expected above 0 and at most 1"),
        (["search=mbr", "search.n_best=17"], "n_best must be at least 1 and at most candidates, got n_best=17"),
        (["search=mbr", "search.method=greedy"], "search.method=greedy: should be 'beam' or 'sample'"),
        (["search=beam", "search.beam_size=0"], "search.beam_size=0: should be 1 to 10000"),
        (["search=beam", "search.beam_size=x"], "search.beam_size=x: should be a valid integer"),
        (["search.max_len=far"], "search.max_len=far: should be a valid integer"),
        (
            ["search=beam", "search.coverage_penalty=-1.0"],
            "search.coverage_penalty must be at least 0 and at most 1000, got -1",
        ),
    ],
)
def test_impossible_search_settings_are_reported(
    folder: Path, overrides: list[str], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Catches fewer translations than requested without an error, and a message of several lines."""
    with pytest.raises(UserError, match=message) as refusal:
        run_command(monkeypatch, tmp_path, [f"model={folder}", *overrides], b"a dog\n")
    assert "\n" not in str(refusal.value)


def test_several_models_translate_as_one(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Catches a list of models that is taken for the name of one, and an ensemble that uses only its first model."""
    other = write(tmp_path / "other", seed=4)
    alone = [run_command(monkeypatch, tmp_path, [f"model={one}"], b"the cat\n") for one in (folder, other)]
    both = run_command(monkeypatch, tmp_path, [f"model=[{folder},{other}]"], b"the cat\n")
    twice = run_command(monkeypatch, tmp_path, [f"model=[{folder},{folder}]"], b"the cat\n")

    assert twice == alone[0] != alone[1]
    assert both not in alone


@pytest.mark.parametrize(
    ("changed", "differ"),
    [({"sources": [*SOURCES, "zebra"]}, "source.model"), ({"targets": [*TARGETS, "zèbre"]}, "target.model")],
)
def test_models_of_other_vocabularies_are_refused(
    folder: Path, changed: dict[str, list[str]], differ: str, tmp_path: Path
) -> None:
    """Catches words of one model that are taken for words of another, which gives fluent but wrong translations."""
    other = write(tmp_path / "other", sources=changed.get("sources", SOURCES), targets=changed.get("targets", TARGETS))
    with pytest.raises(UserError, match=f"{folder} and {other} differ in {differ}; an ensemble needs models"):
        bundle.load_ensemble([str(folder), str(other)])
    with pytest.raises(UserError, match="names no model folder"):
        bundle.load_ensemble([])


def test_neither_training_nor_drawing_is_loaded(folder: Path) -> None:
    """Catches an import of Lightning, matplotlib or sacreBLEU, which would delay the first translation."""
    code = f"""
import sys
from heed.cli.translate import Settings, translate
from tests.support.settings import settings_of
translate(settings_of("translate", Settings, "model={folder}"))
slow = {{"lightning", "matplotlib", "sacrebleu", "torchtext", "tensorboard", "pandas", "scipy", "torch._dynamo"}}
print(slow & set(sys.modules))
"""
    found = subprocess.run([sys.executable, "-c", code], input=b"a dog\n", capture_output=True, check=True)

    assert found.stdout.decode().splitlines()[1] == "set()"


def test_the_command_returns_the_number_of_lines(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Catches a command that cannot be called as a function."""
    (tmp_path / "in").write_bytes(b"a dog\n\na cat")
    with (tmp_path / "in").open() as source, (tmp_path / "out").open("w") as out:
        monkeypatch.setattr(sys, "stdin", source)
        monkeypatch.setattr(sys, "stdout", out)
        assert translate(settings_of("translate", Settings, f"model={folder}", "search.max_len=12")) == 3

    assert (tmp_path / "out").read_text(encoding="utf-8").splitlines() == expected(folder, ["a dog", "", "a cat"])


@pytest.mark.parametrize("search", ["beam", "sample"])
@pytest.mark.parametrize("precision", get_args(Precision))
def test_the_precision_setting_is_that_of_the_translator(
    folder: Path, tmp_path: Path, precision: Precision, search: str
) -> None:
    """Catches a precision that is ignored; with auto, samples are drawn in float32."""
    text = "".join(f"{line}\n" for line in SOURCES).encode()
    overrides = (
        f"model={folder}",
        "search.max_len=12",
        f"precision={precision}",
        f"search={search}",
        "search.n_best=3",
    )
    found = forked(tmp_path, "translate", *overrides, stdin=text)
    assert found.code == 0, found.err
    scores = [float(line.rpartition("||| ")[2]) for line in found.out.splitlines()]
    wanted = load(folder, precision=precision).translate(SOURCES, search, n_best=3, max_len=12)
    assert scores == pytest.approx([one.score for line in wanted for one in line.candidates], abs=1e-4)
