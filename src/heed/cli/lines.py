"""Lines from a stream as they come, and translations to another."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console

from heed.errors import UserError
from heed.translation import Translation
from heed.viz.interlinear import interlinear

CHUNK = 1 << 16
"""Bytes asked for at once: a pipe's capacity on Linux, and some thousand lines, enough to sort by length."""


def blocks(descriptor: int, before: Callable[[], object]) -> Iterator[list[bytes]]:
    """Lines without their ends, as many at a time as are there; a last one may lack its newline.

    `before` is called each time before it waits for more.
    """
    rest: list[bytes] = []
    before()
    while chunk := os.read(descriptor, CHUNK):
        *lines, last = chunk.split(b"\n")
        if lines:
            yield [b"".join([*rest, lines[0]]), *lines[1:]]
            rest = []
            before()
        rest.append(last)
    if any(rest):
        yield [b"".join(rest)]


def stream(
    waiting: Iterator[list[bytes]],
    translate: Callable[[list[str]], list[Translation]],
    form: Callable[[int, Translation], str],
    show: Callable[[Translation], object] | None,
) -> int:
    """Translate blocks of lines as they come and write them to standard output; how many lines there were.

    Raises:
        UserError: when all is done, if a line was not UTF-8.
    """
    count, wrong, first_wrong = 0, 0, 0
    for block in waiting:
        lines = [line.decode(errors="replace").removesuffix("\r") for line in block]
        for number, translation in enumerate(translate(lines), start=count):
            sys.stdout.buffer.write(form(number, translation).encode())
            if show:
                sys.stdout.buffer.flush()  # at a terminal a translation stands above its alignment
                show(translation)
        sys.stdout.buffer.flush()
        for number, line in enumerate(block, start=count + 1):
            if not _is_utf8(line):
                first_wrong, wrong = first_wrong or number, wrong + 1
        count += len(block)
    if wrong:
        others = f" and {wrong - 1} more are" if wrong > 1 else " is"
        raise UserError(
            f"line {first_wrong}{others} not UTF-8: what could not be read was taken as an unknown character; "
            "convert the input first, as with: iconv -f latin1 -t utf-8"
        )
    return count


def one_line(number: int, translation: Translation) -> str:
    """The translation alone."""
    return f"{translation.text}\n"


def n_best_lines(number: int, translation: Translation) -> str:
    """`number ||| translation ||| score` for each, best first, as Moses writes its lists; lines count from 0."""
    return "".join(f"{number} ||| {one.text} ||| {one.score:.4f}\n" for one in translation.candidates)


def show_attention(console: Console, translation: Translation) -> None:
    """Under each word of a translation the source word, or </s>, that the model looked at most."""
    shown = translation.shown(end=True)
    words = translation.tgt.marked(translation.words)
    console.print(f"{interlinear(shown.weights[: len(words)], shown.src, words, console.width)}\n", style="dim")


def prompt() -> None:
    """Ask for the next line."""
    print("> ", end="", file=sys.stderr, flush=True)


def greeting(folder: str, about: Any) -> str:
    """From which language the model translates to which, if its folder says so."""
    languages = [about.get("src_lang"), about.get("tgt_lang")]
    known = all(isinstance(name, str) and name.isprintable() and name for name in languages)
    return f"{folder}: from {languages[0]} to {languages[1]}." if known else f"{folder} is ready."


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
