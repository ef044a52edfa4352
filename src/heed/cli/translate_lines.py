"""Translate lines as they arrive, and write each translation, followed by its warnings and attention if asked for."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from rich.console import Console

from heed.cli.remarks import Seen, show_remarks
from heed.errors import UserError
from heed.files import replace_whole
from heed.text.controls import harmless
from heed.translation import Translation
from heed.viz.interlinear import interlinear

Show = Callable[[Translation], object] | None
Form = Callable[[int, Translation], str]
"""A function of a line's number, counted from 0, and its translation; returns the text to write."""


def write_translations(
    path: str | None,
    waiting: Iterator[list[bytes]],
    translate: Callable[[list[str]], list[Translation]],
    form: Form,
    show: Show,
) -> Seen:
    """Translate blocks of lines as they arrive, to standard output, or to a file that appears only when complete.

    Raises:
        UserError: a line is not UTF-8 (raised after all lines are translated), or the file cannot be written.
    """
    if not path:
        return _stream(waiting, translate, form, show, sys.stdout.buffer)
    seen: list[Seen] = []

    def fill(new: Path) -> None:
        with new.open("wb") as file:
            seen.append(_stream(waiting, translate, form, show, file))

    try:
        replace_whole(Path(path), fill)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another file with output=FILE") from error
    return seen[0]


def _stream(
    waiting: Iterator[list[bytes]],
    translate: Callable[[list[str]], list[Translation]],
    form: Form,
    show: Show,
    output: IO[bytes],
) -> Seen:
    seen, wrong, first_wrong = Seen(), 0, 0
    shape = _for_terminal if output.isatty() else str
    for block in waiting:
        lines = [line.decode(errors="replace").removesuffix("\r") for line in block]
        for translation in translate(lines):
            output.write(shape(form(seen.lines, translation)).encode())
            seen.add(translation)
            if show:
                output.flush()  # at a terminal the alignment is printed below its translation
                show(translation)
        output.flush()
        for number, line in enumerate(block, start=seen.lines - len(block) + 1):
            if not _is_utf8(line):
                first_wrong, wrong = first_wrong or number, wrong + 1
    if wrong:
        others = f" and {wrong - 1} more are" if wrong > 1 else " is"
        raise UserError(
            f"line {first_wrong}{others} not UTF-8, so its unreadable bytes were replaced by an unknown character; "
            "convert the input first, for example with: iconv -f latin1 -t utf-8"
        )
    return seen


def one_line(number: int, translation: Translation) -> str:
    """Only the translation."""
    return f"{translation.text}\n"


def n_best_lines(number: int, translation: Translation) -> str:
    """`number ||| translation ||| score` for each candidate, best first, in the n-best format of Moses, from line 0."""
    return "".join(f"{number} ||| {candidate.text} ||| {candidate.score:.4f}\n" for candidate in translation.candidates)


def shown(remarks: bool, attention: bool) -> Show:
    """Print warnings and attention below each translation, on standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
    parts = [partial(show_remarks, console)] if remarks else []
    parts += [partial(show_attention, console)] if attention else []

    def show(translation: Translation) -> None:
        for part in parts:
            part(translation)

    return show if parts else None


def show_attention(console: Console, translation: Translation) -> None:
    """Print each word of a translation with the source word, or </s>, that it attended to most."""
    shown = translation.shown(end=True)
    words = [harmless(word) for word in translation.tgt.marked(translation.words)]
    sources = [harmless(word) for word in shown.src]
    console.print(f"{interlinear(shown.weights[: len(words)], sources, words, console.width)}\n", style="dim")


def _for_terminal(lines: str) -> str:
    """The lines without control characters, which an untrusted model may have written."""
    return "".join(f"{harmless(line)}\n" for line in lines.removesuffix("\n").split("\n"))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
