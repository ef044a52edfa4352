"""Long texts a portion at a time, on all cores."""

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeVar, cast

import torch
from torch.utils.data import DataLoader, Dataset

from heed.data.progress import report
from heed.signals import follow_parent

Made = TypeVar("Made")

LINES = 50_000
"""Lines of a portion, worth a third of a second: what is worked out on the way takes several times their memory."""

FEW = 3  # portions that are done before processes would have begun


def in_portions(
    work: Callable[[int, Sequence[str]], Made], texts: Sequence[str], size: int = LINES, unit: str = "lines"
) -> Iterator[Made]:
    """What `work` makes of the number of each portion and its texts, in order.

    Many portions are shared out among processes, as many as torch has threads; what they make is the same. Of many,
    it is reported how many of the texts are done (`heed.data.progress`).
    """
    starts = range(0, max(len(texts), 1), size)
    many = len(starts) > FEW
    threads = torch.get_num_threads()
    made: Iterable[Made | Fault] = DataLoader(
        cast("Dataset[int]", starts),
        batch_size=None,
        num_workers=min(threads, len(starts)) if many and threads > 1 else 0,
        collate_fn=partial(_portion, work, texts, size),
        worker_init_fn=_start_worker,
        generator=torch.Generator(),  # else it takes a number from those that the weights of a model are drawn with
    )
    for start, one in zip(starts, made, strict=True):
        if isinstance(one, Fault):
            raise one.error
        if many:
            report(f"{unit} encoded", min(start + size, len(texts)), len(texts))
        yield one


class Fault(NamedTuple):
    """What `work` raised, passed on as a value.

    Raised in a worker, it would keep torch's iterator alive in its traceback, and with it the workers, for which this
    process waits when it ends.
    """

    error: Exception


def _portion(work: Callable[[int, Sequence[str]], Made], texts: Sequence[str], size: int, start: int) -> Made | Fault:
    try:
        return work(start // size, texts[start : start + size])
    except Exception as error:
        error.add_note(traceback.format_exc())  # of a traceback, nothing else comes through from another process
        return Fault(error)


def _start_worker(_: int) -> None:
    follow_parent()
