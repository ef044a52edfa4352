"""Progress bars for slow work before training begins: downloading and encoding text."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from heed.data.progress import shown_by


@contextmanager
def bars() -> Iterator[None]:
    """Show the progress of the work in this block on stderr, if stderr is a terminal.

    A bar is drawn only while some reported work is unfinished, so other bars may be drawn before and after.
    """
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.completed:>12,}/{task.total:,}"), BarColumn(24), TextColumn("{task.description}"))
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    tasks: dict[str, TaskID] = {}

    def update(name: str, done: int, total: int | None) -> None:
        if not tasks:
            shown.start()
        if name not in tasks:
            tasks[name] = shown.add_task(name)
        shown.update(tasks[name], completed=done, total=total or done)
        if done == total:
            shown.remove_task(tasks.pop(name))
            if not tasks:
                shown.stop()

    try:
        with shown_by(update):
            yield
    finally:
        shown.stop()
