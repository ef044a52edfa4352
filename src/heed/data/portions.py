"""Long texts a portion at a time, on all cores."""

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeVar

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

    The texts are read once, from the first to the last, not much sooner than they are worked on. Many portions are
    shared out among processes, as many as torch has threads; what they make is the same. Of many, it is reported how
    many of the texts are done (`heed.data.progress`).
    """
    starts = range(0, max(len(texts), 1), size)
    many = len(starts) > FEW
    rest = iter(texts)
    threads = torch.get_num_threads()
    made: Iterable[Made | Fault] = DataLoader(
        _Itself(),
        batch_size=None,
        sampler=((number, list(islice(rest, size))) for number in range(len(starts))),
        num_workers=min(threads, len(starts)) if many and threads > 1 else 0,
        collate_fn=partial(_portion, work),
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


class _Itself(Dataset[tuple[int, Sequence[str]]]):
    """Passes on what the loader asks for: portions are read in one process and worked on in others."""

    def __getitem__(self, portion: tuple[int, Sequence[str]]) -> tuple[int, Sequence[str]]:
        return portion


def _portion(work: Callable[[int, Sequence[str]], Made], portion: tuple[int, Sequence[str]]) -> Made | Fault:
    try:
        return work(*portion)
    except Exception as error:
        error.add_note(traceback.format_exc())  # of a traceback, nothing else comes through from another process
        return Fault(error)


def _start_worker(_: int) -> None:
    follow_parent()
