"""Progress of long work: reported here, and shown by a function that the caller sets. Nothing is printed.

    with progress.shown_by(lambda name, done, total: print(name, done, total)):
        corpus.read("train")

`name` says what is counted ("bytes of train.en.gz"); `done` rises to `total`, which is None while it is unknown.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Progress = Callable[[str, int, int | None], None]

_current: ContextVar[Progress | None] = ContextVar("progress", default=None)


@contextmanager
def shown_by(progress: Progress) -> Iterator[None]:
    """Call `progress` while work in this block and in this thread proceeds."""
    before = _current.set(progress)
    try:
        yield
    finally:
        _current.reset(before)


def report(name: str, done: int, total: int | None) -> None:
    """Report the progress of the work `name`."""
    if (progress := _current.get()) is not None:
        progress(name, done, total)
