"""Handling of Ctrl-C and SIGTERM, and restored handlers afterwards."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from heed import signals
from heed.signals import Deferral, Interrupted, Terminated

BOTH = (signal.SIGINT, signal.SIGTERM)


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in BOTH]


@pytest.fixture(autouse=True)
def _unchanged() -> Iterator[None]:
    """No test leaves a handler behind."""
    before = handlers()
    yield
    after = handlers()
    for number, handler in zip(BOTH, before, strict=True):
        signal.signal(number, handler)  # type: ignore[arg-type]
    assert after == before


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_waits_until_it_is_asked_for(number: signal.Signals) -> None:
    """Catches an update cut short by Ctrl-C, and a signal lost."""
    with Deferral() as deferral:
        deferral.start()
        os.kill(os.getpid(), number)
        assert deferral.asked == number
        assert handlers() == [signal.default_int_handler, signal.SIG_DFL]  # a second one does not wait


def test_handlers_that_were_set_in_between_go_too() -> None:
    """Catches the handlers that Lightning sets between entering and starting, left after a training."""
    before = handlers()
    with suppress(ZeroDivisionError), Deferral() as deferral:
        signal.signal(signal.SIGTERM, lambda *_: None)
        deferral.start()
        raise ZeroDivisionError
    assert handlers() == before


def test_what_a_parent_ignores_stays_ignored() -> None:
    """Catches a background process of a shell that is ended by Ctrl-C for another process."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Deferral() as deferral, signals.as_exceptions():
        deferral.start()
        os.kill(os.getpid(), signal.SIGINT)
        assert deferral.asked is None
    assert signal.signal(signal.SIGINT, before) == signal.SIG_IGN


def in_a_thread() -> None:
    with Deferral() as deferral, signals.as_exceptions():
        deferral.start()
    signals.end_silently_at_interrupt()


def test_outside_the_main_thread_nothing_is_set() -> None:
    """Catches a training in a thread, as of a server, that dies of Python's ValueError."""
    faults: list[object] = []
    before, hook = handlers(), threading.excepthook
    threading.excepthook = faults.append
    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()
    threading.excepthook = hook
    assert not faults
    assert handlers() == before


def test_signals_are_exceptions_to_a_command() -> None:
    """Catches a process that is ended before it has cleaned up."""
    with pytest.raises(Terminated) as ended, signals.as_exceptions():
        os.kill(os.getpid(), signal.SIGTERM)
    assert (ended.value.code, ended.value.step) == (143, None)
    with pytest.raises(KeyboardInterrupt), signals.as_exceptions():
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("make", [Interrupted, Terminated])
def test_the_step_goes_with_the_exception_to_another_process(make: Callable[[int], BaseException]) -> None:
    """Catches a step lost between the processes of a sweep."""
    copied = pickle.loads(pickle.dumps(make(12)))
    assert (type(copied), copied.step) == (make, 12)
    assert getattr(copied, "code", 143) == 143


def test_importing_heed_sets_no_handler() -> None:
    """Catches a script whose Ctrl-C is taken from it by an import, because its name begins like a command's."""
    code = "import sys; sys.argv = ['heed-mine.py']; import heed, signal; from heed.training import checkpoints; "
    code += "print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "True\n"
