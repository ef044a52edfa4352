"""Portions of a text that several processes share give the same results as one process."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from heed.data import progress
from heed.data.portions import FEW, in_portions

TEXTS = [f"line {number}" for number in range(10)]

SHARING = """
import os, signal, sys, time
from pathlib import Path
import torch
from heed.data import progress
from heed.data.portions import in_portions

def more_than_a_pipe_holds(number, texts):
    Path(sys.argv[1], str(os.getpid())).touch()
    return bytes(10**7)

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
torch.set_num_threads(2)
try:
    for made in in_portions(more_than_a_pipe_holds, ["line"] * 1000, 1):
        time.sleep(0.1)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """Use two threads; other tests use one."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def where(number: int, texts: Sequence[str]) -> tuple[int, list[str], int]:
    return number, list(texts), os.getpid()


def refuse(number: int, texts: Sequence[str]) -> None:
    raise LookupError(f"portion {number}")


@pytest.mark.parametrize("texts", [TEXTS, [""], []], ids=len)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 10, 11])
def test_portions_come_in_order_and_whole(size: int, texts: list[str]) -> None:
    """Catches a last portion that is left out, and results in the order in which processes finish."""
    made = list(in_portions(where, texts, size))
    assert [text for _, portion, _ in made for text in portion] == texts
    assert [number for number, _, _ in made] == list(range(max(len(made), 1)))
    assert {len(portion) for _, portion, _ in made[:-1]} <= {size}


def test_many_portions_are_shared_out_and_few_are_not() -> None:
    """Catches a large corpus encoded by one process, and processes started for a small corpus or a single core."""
    assert {process for _, _, process in in_portions(where, TEXTS[: FEW * 2], 2)} == {os.getpid()}
    assert len({process for _, _, process in in_portions(where, TEXTS, 1)} - {os.getpid()}) == 2
    torch.set_num_threads(1)
    assert {process for _, _, process in in_portions(where, TEXTS, 1)} == {os.getpid()}


def test_no_random_number_is_drawn() -> None:
    """Catches a model whose first weights depend on whether its corpus was encoded or found encoded."""
    before = torch.get_rng_state()
    list(in_portions(where, TEXTS, 1))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_fault_in_a_process_ends_the_work() -> None:
    """Catches a portion that is lost silently, and workers that do not end."""
    with pytest.raises(LookupError, match="portion 0") as raised:
        list(in_portions(refuse, TEXTS, 1))
    assert "in refuse" in raised.value.__notes__[0]
    _wait_for(lambda: not multiprocessing.active_children(), 5)


def test_many_portions_are_reported_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """Catches a bar in a caller's output, long work that is not reported, and short work that is."""
    reports: list[tuple[str, int, int | None]] = []
    with progress.shown_by(lambda *report: reports.append(report)):
        list(in_portions(where, TEXTS[:FEW], 1))
        assert reports == []
        list(in_portions(where, TEXTS, 2, "words"))
    list(in_portions(where, TEXTS, 1))
    assert reports == [("words encoded", done, 10) for done in (2, 4, 6, 8, 10)]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=str
)
def test_processes_end_with_their_parent(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """Catches processes that outlive a killed run, and an error or a hang after Ctrl-C, which all of them get."""
    one_cpu = "ignore:This DataLoader will create"  # torch's warning if the tests may use only one CPU
    command = [sys.executable, "-W", one_cpu, "-c", SHARING, str(tmp_path)]
    parent = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        _wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
        children = [path.name for path in tmp_path.iterdir()]
        assert all(map(_runs, children))
        if number == signal.SIGKILL:
            parent.kill()
        else:
            os.killpg(parent.pid, number)
        assert parent.wait(30) == code
        _wait_for(lambda: not any(map(_runs, children)))
        assert parent.stderr is not None
        assert not parent.stderr.read()
    finally:
        parent.kill()


def _runs(process: str) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
