"""How far long work has come: reported here, shown by whoever asks for it. Nothing is printed.

    with progress.shown_by(lambda name, done, total: print(name, done, total)):
        corpus.read("train")

`name` says what is counted ("bytes of train.en.gz"), `done` rises to `total`, which is None as long as nobody knows it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Progress = Callable[[str, int, int | None], None]

_current: ContextVar[Progress | None] = ContextVar("progress", default=None)


@contextmanager
def shown_by(progress: Progress) -> Iterator[None]:
    """Let `progress` be called as work goes on, in this thread and within this block."""
    before = _current.set(progress)
    try:
        yield
    finally:
        _current.reset(before)


def report(name: str, done: int, total: int | None) -> None:
    """Pass on how far the work `name` has come."""
    if (progress := _current.get()) is not None:
        progress(name, done, total)
