"""Lines translated as they come, and written, each above what a person wants to see of it."""

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
"""What is written of a line, counted from 0, and of its translation."""


def write_translations(
    path: str | None,
    waiting: Iterator[list[bytes]],
    translate: Callable[[list[str]], list[Translation]],
    form: Form,
    show: Show,
) -> Seen:
    """Translate blocks of lines as they come, to standard output, or to a file, which is there when it is whole.

    Raises:
        UserError: a line that is not UTF-8, when all is done; a file that cannot be written, or is there already.
    """
    if not path:
        return _stream(waiting, translate, form, show, sys.stdout.buffer)
    seen: list[Seen] = []

    def fill(new: Path) -> None:
        with new.open("wb") as file:
            seen.append(_stream(waiting, translate, form, show, file))

    try:
        replace_whole(Path(path), fill, partial(refuse_file, path))
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another with output=FILE") from error
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
                output.flush()  # at a terminal a translation stands above its alignment
                show(translation)
        output.flush()
        for number, line in enumerate(block, start=seen.lines - len(block) + 1):
            if not _is_utf8(line):
                first_wrong, wrong = first_wrong or number, wrong + 1
    if wrong:
        others = f" and {wrong - 1} more are" if wrong > 1 else " is"
        raise UserError(
            f"line {first_wrong}{others} not UTF-8: what could not be read was taken as an unknown character; "
            "convert the input first, with the name of its encoding: iconv -f ENCODING -t UTF-8"
        )
    return seen


def refuse_file(path: str) -> None:
    """UserError for an output that is there already, unless it is empty."""
    if Path(path).is_file() and Path(path).stat().st_size:
        raise UserError(f"output={path} is there already; remove it, or choose another output=FILE")


def one_line(number: int, translation: Translation) -> str:
    """The translation alone."""
    return f"{translation.text}\n"


def n_best_lines(number: int, translation: Translation) -> str:
    """`number ||| translation ||| score` for each, best first, as Moses writes its lists; lines count from 0."""
    return "".join(f"{number} ||| {one.text} ||| {one.score:.4f}\n" for one in translation.candidates)


def shown(remarks: bool, attention: bool) -> Show:
    """What is shown on standard error under each translation: remarks, and where the model looked."""
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
    parts = [partial(show_remarks, console)] if remarks else []
    parts += [partial(show_attention, console)] if attention else []

    def show(translation: Translation) -> None:
        for part in parts:
            part(translation)

    return show if parts else None


def show_attention(console: Console, translation: Translation) -> None:
    """Under each word of a translation the source word, or </s>, that the model looked at most."""
    shown = translation.shown(end=True)
    words = [harmless(word) for word in translation.tgt.marked(translation.words)]
    sources = [harmless(word) for word in shown.src]
    console.print(f"{interlinear(shown.weights[: len(words)], sources, words, console.width)}\n", style="dim")


def _for_terminal(lines: str) -> str:
    """Lines that a stranger's model may have written, with no control sequence among them."""
    return "".join(f"{harmless(line)}\n" for line in lines.removesuffix("\n").split("\n"))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
