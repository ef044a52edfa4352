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
    """Catches an update that Ctrl-C interrupts, and a signal that is lost."""
    with Deferral() as deferral:
        deferral.start()
        os.kill(os.getpid(), number)
        assert deferral.asked == number
        assert handlers() == [signal.default_int_handler, signal.SIG_DFL]  # a second signal is not deferred


def test_handlers_that_were_set_in_between_are_removed_too() -> None:
    """Catches handlers, as Lightning sets them between entering and starting, that are left after training."""
    before = handlers()
    with suppress(ZeroDivisionError), Deferral() as deferral:
        signal.signal(signal.SIGTERM, lambda *_: None)
        deferral.start()
        raise ZeroDivisionError
    assert handlers() == before


def test_a_signal_that_the_parent_ignores_stays_ignored() -> None:
    """Catches a background process of a shell that ends at a Ctrl-C for another process."""
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
    """Catches training in a thread, for example of a server, that fails because Python refuses handlers there."""
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
    """Catches a process that ends before it has cleaned up."""
    with pytest.raises(Terminated) as ended, signals.as_exceptions():
        os.kill(os.getpid(), signal.SIGTERM)
    assert (ended.value.code, ended.value.step) == (143, None)
    with pytest.raises(KeyboardInterrupt), signals.as_exceptions():
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("make", [Interrupted, Terminated])
def test_the_step_goes_with_the_exception_to_another_process(make: Callable[[int], BaseException]) -> None:
    """Catches a step that is lost between the processes of a sweep."""
    copied = pickle.loads(pickle.dumps(make(12)))
    assert (type(copied), copied.step) == (make, 12)
    assert getattr(copied, "code", 143) == 143


def test_importing_heed_sets_no_handler() -> None:
    """Catches an import that changes Ctrl-C in a script whose name begins like that of a command."""
    code = "import sys; sys.argv = ['heed-mine.py']; import heed, signal; from heed.training import checkpoints; "
    code += "print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
