"""heed-translate: a line in, a line out."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Annotated, Any

from pydantic import Field
from rich.console import Console

from heed.cli.command import Command
from heed.cli.lines import blocks, greeting, n_best_lines, one_line, prompt, show_attention, stream, typed
from heed.cli.nodes import search_settings
from heed.cli.remarks import Seen, print_notes, show_remarks
from heed.data.lines import existing, read_lines
from heed.errors import UserError
from heed.files import replace_whole
from heed.translation import Translation
from heed.translator import Precision, load


@dataclass(frozen=True)
class Settings:
    """The keys of configs/translate.yaml."""

    model: str | list[str]
    input: str | None
    output: str | None
    search: Mapping[str, Any]
    show_attention: bool | None
    interactive: bool | None
    replace_unk: bool
    batch_size: Annotated[int, Field(ge=1)] | None
    device: str
    precision: Precision


def translate(settings: Settings) -> int:
    """Translate standard input, or a file, to standard output, or a file; the number of lines."""
    name, search = search_settings(settings.search)
    n_best = search.pop("n_best") or 1
    _check_files(settings)
    translator = load(settings.model, settings.device, settings.precision)
    options = {"n_best": n_best, "replace_unk": settings.replace_unk, "batch_size": settings.batch_size, **search}
    terminal = _at_terminal(settings)
    if terminal:
        model = settings.model if isinstance(settings.model, str) else " and ".join(settings.model)
        print(f"{greeting(model, translator.about)}\nType a sentence and Enter; Ctrl-D ends.", file=sys.stderr)
    seen = _written(
        settings.output,
        lambda output: stream(
            _lines(settings.input, terminal),
            lambda lines: translator.translate(lines, name, **options),
            n_best_lines if n_best > 1 else one_line,
            _shown(settings, terminal),
            output,
        ),
    )
    if terminal:
        print(file=sys.stderr)
    else:
        print_notes(seen.summary())
    return seen.lines


def _at_terminal(settings: Settings) -> bool:
    """Whether sentences are typed."""
    if settings.input:
        return False
    return sys.stdin is not None and sys.stdin.isatty() if settings.interactive is None else settings.interactive


def _check_files(settings: Settings) -> None:
    """UserError for an output that is the input, and for an input of which sentences would be typed."""
    if settings.input and settings.interactive:
        raise UserError(f"input={settings.input} and interactive=true; give one of them")
    if settings.input and settings.output and Path(settings.input).resolve() == Path(settings.output).resolve():
        raise UserError(f"output={settings.output} would be written over input={settings.input}; choose another place")
    output = Path(settings.output or os.devnull)
    if output.is_file() and output.stat().st_size:
        raise UserError(f"output={settings.output} is there already; remove it, or choose another output=FILE")


def _lines(path: str | None, terminal: bool) -> Iterator[list[bytes]]:
    """The lines of a file all at once, or those of standard input as they come."""
    if path:
        return iter([[line.encode() for line in read_lines(existing(path))]])
    if terminal and sys.stdin.isatty() and sys.stdout.isatty():
        return typed()
    return blocks(_input_descriptor(), prompt if terminal else lambda: None)


def _input_descriptor() -> int:
    if sys.stdin is None:
        raise UserError("standard input is closed; give it a file, as < FILE, or input=FILE")
    return sys.stdin.fileno()


def _written(path: str | None, write: Callable[[IO[bytes]], Seen]) -> Seen:
    """Write to standard output, or to a file, which is there when it is whole."""
    if not path:
        return write(sys.stdout.buffer)
    seen: list[Seen] = []

    def fill(new: Path) -> None:
        with new.open("wb") as file:
            seen.append(write(file))

    try:
        replace_whole(Path(path), fill)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another with output=FILE") from error
    return seen[0]


def _shown(settings: Settings, terminal: bool) -> Callable[[Translation], object] | None:
    """What is shown under each translation: remarks at a terminal, and where the model looked, if that is wanted."""
    watched = terminal and (settings.interactive or sys.stderr.isatty())
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
    attention = watched if settings.show_attention is None else settings.show_attention
    parts = [part for part, wanted in ((show_remarks, watched), (show_attention, attention)) if wanted]
    return partial(_show, [partial(part, console) for part in parts]) if parts else None


def _show(parts: list[Callable[[Translation], object]], translation: Translation) -> None:
    for part in parts:
        part(translation)


main = Command("translate", translate, Settings, shorthands={"--interactive": "interactive=true"})

if __name__ == "__main__":
    main()
