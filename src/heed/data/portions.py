"""Long texts a portion at a time, on all cores."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar, cast

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from torch.utils.data import DataLoader, Dataset

from heed.signals import follow_parent

Made = TypeVar("Made")

LINES = 50_000
"""Lines of a portion, worth a third of a second: what is worked out on the way takes several times their memory."""

FEW = 3  # portions that are done before processes would have begun


def in_portions(
    work: Callable[[int, Sequence[str]], Made], texts: Sequence[str], size: int = LINES, unit: str = "lines"
) -> Iterator[Made]:
    """What `work` makes of the number of each portion and its texts, in order.

    Many portions are shared out among processes, as many as torch has threads; what they make is the same. At a
    terminal a bar shows how many of the texts are done.
    """
    starts = range(0, max(len(texts), 1), size)
    many = len(starts) > FEW
    threads = torch.get_num_threads()
    made: Iterable[Made] = DataLoader(
        cast("Dataset[int]", starts),
        batch_size=None,
        num_workers=min(threads, len(starts)) if many and threads > 1 else 0,
        collate_fn=partial(_portion, work, texts, size),
        worker_init_fn=_follow_parent,
        generator=torch.Generator(),  # else it takes a number from those that the weights of a model are drawn with
    )
    console = Console(highlight=False)
    columns = (TextColumn("{task.completed:>12,}/{task.total:,}"), BarColumn(24), TextColumn(f"{unit} encoded"))
    hidden = not (many and console.is_terminal)
    with Progress(*columns, console=console, auto_refresh=False, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=len(texts))
        for start, one in zip(starts, made, strict=True):
            bar.update(task, completed=min(start + size, len(texts)), refresh=True)
            yield one


def _portion(work: Callable[[int, Sequence[str]], Made], texts: Sequence[str], size: int, start: int) -> Made:
    return work(start // size, texts[start : start + size])


def _follow_parent(_: int) -> None:
    follow_parent()
