"""Process long texts in portions, on all cores."""

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
"""Lines of a portion, about a third of a second of work; intermediate results take several times their memory."""

FEW = 3  # so few portions are finished before processes have started


def in_portions(
    work: Callable[[int, Sequence[str]], Made], texts: Sequence[str], size: int = LINES, unit: str = "lines"
) -> Iterator[Made]:
    """Yield `work(number, texts)` for each portion, in order.

    The texts are read once, in order, shortly before they are needed. If there are many portions, as many processes as
    torch has threads share them; the results are the same. Then progress is reported too (`heed.data.progress`).
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
        generator=torch.Generator(),  # otherwise it draws from the generator that initialises the model
    )
    for start, one in zip(starts, made, strict=True):
        if isinstance(one, Fault):
            raise one.error
        if many:
            report(f"{unit} encoded", min(start + size, len(texts)), len(texts))
        yield one


class Fault(NamedTuple):
    """An exception of `work`, passed as a value.

    If it were raised in a worker, its traceback would keep torch's iterator alive, and with it the workers, for which
    this process waits at its end.
    """

    error: Exception


class _Itself(Dataset[tuple[int, Sequence[str]]]):
    """Returns its index: portions are read in the main process and processed in others."""

    def __getitem__(self, portion: tuple[int, Sequence[str]]) -> tuple[int, Sequence[str]]:
        return portion


def _portion(work: Callable[[int, Sequence[str]], Made], portion: tuple[int, Sequence[str]]) -> Made | Fault:
    try:
        return work(*portion)
    except Exception as error:
        error.add_note(traceback.format_exc())  # only the text of a traceback can be passed between processes
        return Fault(error)


def _start_worker(_: int) -> None:
    follow_parent()
