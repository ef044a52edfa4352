"""Translate lines as they arrive, and write each translation, followed by its warnings and attention if asked for."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from heed.cli.output_lines import Form, Show, for_terminal
from heed.cli.remarks import Seen
from heed.errors import UserError
from heed.files import replace_whole
from heed.translation import Translation

Translate = Callable[[list[str], int], list[Translation]]
"""A function that translates a block of lines; it gets the number of the first line too, for messages."""


def write_translations(
    path: str | None,
    waiting: Iterator[list[bytes]],
    translate: Translate,
    form: Form,
    show: Show,
) -> Seen:
    """Translate blocks of lines as they arrive, to standard output, or to a file that appears only when complete.

    Raises:
        UserError: a line is not UTF-8 (raised after all lines are translated), or the file cannot be written or exists.
    """
    done: list[tuple[Seen, str | None]] = []

    def fill(new: Path) -> None:
        with new.open("wb") as file:
            done.append(_stream(waiting, translate, form, show, file))

    if not path:
        done.append(_stream(waiting, translate, form, show, sys.stdout.buffer))
    else:
        try:
            replace_whole(Path(path), fill, partial(refuse_file, path))
        except OSError as error:
            advice = f"{path} cannot be written ({error.strerror}); choose another file with output=FILE"
            raise UserError(advice) from error
    [(seen, fault)] = done
    if fault:
        raise UserError(fault)
    return seen


def _stream(
    waiting: Iterator[list[bytes]],
    translate: Translate,
    form: Form,
    show: Show,
    output: IO[bytes],
) -> tuple[Seen, str | None]:
    """Translate and write all lines; the message about those that are not UTF-8, if there are any."""
    seen, wrong, first_wrong = Seen(), 0, 0
    shape = for_terminal if output.isatty() else str
    for block in waiting:
        lines = [line.decode(errors="replace").removesuffix("\r") for line in block]
        for translation in translate(lines, seen.lines + 1):
            output.write(shape(form(seen.lines, translation)).encode())
            seen.add(translation)
            if show:
                output.flush()  # at a terminal the alignment is printed below its translation
                show(translation)
        output.flush()
        for number, line in enumerate(block, start=seen.lines - len(block) + 1):
            if not _is_utf8(line):
                first_wrong, wrong = first_wrong or number, wrong + 1
    if not wrong:
        return seen, None
    others = f" and {wrong - 1} more are" if wrong > 1 else " is"
    return seen, (
        f"line {first_wrong}{others} not UTF-8, so its unreadable bytes were replaced by an unknown character; "
        "convert the input first, with the name of its encoding: iconv -f ENCODING -t UTF-8"
    )


def refuse_file(path: str) -> None:
    """Raise UserError if an output exists already and is not empty."""
    if Path(path).is_file() and Path(path).stat().st_size:
        raise UserError(f"output={path} already exists; remove it, or choose another output=FILE")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
