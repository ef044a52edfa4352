"""Ctrl-C and SIGTERM: the one place that sets signal handlers.

Every context manager here restores the previous handlers, does not handle a signal that the parent process ignores,
and does nothing outside the main thread, because Python does not allow handlers to be set there.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from types import FrameType, TracebackType
from typing import Any

Handler = Callable[[int, FrameType | None], Any] | int | None


class Interrupted(KeyboardInterrupt):
    """Ctrl-C has stopped training. `step` is the last update that is saved, or None if there was none."""

    def __init__(self, step: int | None = None) -> None:
        super().__init__()
        self.step = step


class Terminated(SystemExit):
    """SIGTERM has stopped the process; `step` as for `Interrupted`. Unless caught, the process exits with code 143."""

    def __init__(self, step: int | None = None) -> None:
        super().__init__(128 + signal.SIGTERM)
        self.step = step


class Deferral:
    """Defers Ctrl-C and SIGTERM until the work is saved; a second signal takes effect at once.

    Entering saves the handlers, `start` replaces them, and leaving restores them, even if others were set in between.
    """

    def __init__(self) -> None:
        self.asked: signal.Signals | None = None
        """The signal that was received."""
        self._former: dict[int, Handler] = {}

    def __enter__(self) -> "Deferral":
        if _in_main_thread():
            self._former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _put_back(self._former)

    def start(self) -> None:
        """Defer from now on."""
        for number, former in self._former.items():
            signal.signal(number, signal.SIG_IGN if former == signal.SIG_IGN else self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = signal.Signals(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def stopped_by(number: signal.Signals, step: int | None) -> Interrupted | Terminated:
    """The exception to raise after a signal; `step` is the last update that is saved."""
    return Interrupted(step) if number == signal.SIGINT else Terminated(step)


@contextmanager
def as_exceptions(sigterm: bool = True) -> Iterator[None]:
    """Raise KeyboardInterrupt at Ctrl-C and Terminated at SIGTERM, so that a command can clean up before it ends.

    Without `sigterm`, SIGTERM keeps its handler.
    """
    wanted: dict[int, Handler] = {signal.SIGINT: signal.default_int_handler}
    if sigterm:
        wanted[signal.SIGTERM] = _terminate
    former = {number: signal.getsignal(number) for number in wanted} if _in_main_thread() else {}
    for number, handler in former.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, wanted[number])
    try:
        yield
    finally:
        _put_back(former)


def end_silently_at_interrupt() -> None:
    """Let Ctrl-C end the process without a traceback, as it ends a C program.

    For the seconds in which a command imports, before `as_exceptions`: a traceback would show some library's code.
    """
    if _in_main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def end_at_sigterm() -> None:
    """Let SIGTERM end the process at once."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def follow_parent() -> None:
    """In a worker process: ignore Ctrl-C and SIGTERM, as the parent ends its workers; exit when the parent has ended.

    A worker that a signal to the whole group ended would look like an error, or wait for a reader of its results.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_after, args=[parent_process()], daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _put_back(former: Mapping[int, Handler]) -> None:
    for number, handler in former.items():
        if handler is not None:  # None: the handler was not set by Python, which cannot restore it
            signal.signal(number, handler)
