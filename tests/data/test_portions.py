"""Portions of a text, shared out among processes: what comes of them is what one process makes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from heed.data.portions import FEW, in_portions

TEXTS = [f"line {number}" for number in range(10)]

SHARING = """
import os, sys, time
from pathlib import Path
import torch
from heed.data.portions import in_portions

def more_than_a_pipe_holds(number, texts):
    Path(sys.argv[1], str(os.getpid())).touch()
    return bytes(10**7)

torch.set_num_threads(2)
for made in in_portions(more_than_a_pipe_holds, ["line"] * 1000, 1):
    time.sleep(0.1)
"""


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """Of which the tests otherwise have one."""
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def where(number: int, texts: Sequence[str]) -> tuple[int, list[str], int]:
    return number, list(texts), os.getpid()


def refuse(number: int, texts: Sequence[str]) -> None:
    raise LookupError(f"portion {number}")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 10, 11])
def test_portions_come_in_order_and_whole(size: int) -> None:
    """Would catch a last portion left out, and results in the order in which processes are done."""
    made = list(in_portions(where, TEXTS, size))
    assert [text for _, texts, _ in made for text in texts] == TEXTS
    assert [number for number, _, _ in made] == list(range(len(made)))
    assert {len(texts) for _, texts, _ in made[:-1]} <= {size}


def test_many_portions_are_shared_out_and_few_are_not() -> None:
    """Would catch a corpus that one core encodes alone, and a start of processes that a small one waits for."""
    assert {process for _, _, process in in_portions(where, TEXTS[: FEW * 2], 2)} == {os.getpid()}
    assert len({process for _, _, process in in_portions(where, TEXTS, 1)} - {os.getpid()}) == 2
    torch.set_num_threads(1)
    assert len({process for _, _, process in in_portions(where, TEXTS, 1)} - {os.getpid()}) == 1


def test_no_random_number_is_taken() -> None:
    """Would catch a model whose first weights depend on whether its corpus was encoded or found encoded."""
    before = torch.get_rng_state()
    list(in_portions(where, TEXTS, 1))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_fault_in_a_process_ends_the_work() -> None:
    """Would catch a portion that is lost without a word."""
    with pytest.raises(LookupError, match="portion 0"):
        list(in_portions(refuse, TEXTS, 1))


def test_a_bar_is_shown_at_a_terminal_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    list(in_portions(where, TEXTS, 1))
    assert not capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")
    list(in_portions(where, TEXTS, 1))
    assert "10/10" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_the_one_that_it_works_for(number: signal.Signals, tmp_path: Path) -> None:
    """Would catch what is left of a killed run: processes that wait for ever for someone to take what they made."""
    parent = subprocess.Popen([sys.executable, "-c", SHARING, tmp_path], stderr=subprocess.DEVNULL)
    _wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
    children = [Path("/proc", path.name) for path in tmp_path.iterdir()]
    assert all(child.exists() for child in children)
    parent.send_signal(number)
    assert parent.wait(20) == -number
    _wait_for(lambda: not any(child.exists() for child in children))


def _wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
