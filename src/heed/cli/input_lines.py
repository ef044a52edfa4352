"""Lines to translate: from a file, from standard input as they arrive, or typed at a terminal."""

import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from heed.data.lines import existing, read_lines
from heed.errors import UserError

CHUNK = 1 << 16
"""Bytes per read: the capacity of a pipe on Linux, about a thousand lines, which is enough to sort by length."""

PROMPT = "> "


def input_lines(path: str | None, terminal: bool) -> Iterator[list[bytes]]:
    """All lines of a file, or the lines of standard input as they arrive, with a prompt if at a `terminal`."""
    if path:
        return iter([[line.encode() for line in read_lines(existing(path))]])
    if terminal and sys.stdin.isatty() and sys.stdout.isatty():
        return _typed()
    return blocks(_descriptor(), _prompt if terminal else lambda: None)


def blocks(descriptor: int, before: Callable[[], object]) -> Iterator[list[bytes]]:
    """Yield all lines that have arrived, without their newlines; the last line of the input may lack one.

    `before` is called each time before waiting for more.
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


def greeting(folder: str, about: Mapping[str, Any]) -> str:
    """A line with the model's languages, if its folder names them."""
    languages = [about.get("src_lang"), about.get("tgt_lang")]
    known = all(isinstance(name, str) and name.isprintable() and name for name in languages)
    return f"{folder}: from {languages[0]} to {languages[1]}." if known else f"{folder} is ready."


def _descriptor() -> int:
    if sys.stdin is None:
        raise UserError("standard input is closed; redirect a file to it (< FILE), or give input=FILE")
    return sys.stdin.fileno()


def _prompt() -> None:
    print(PROMPT, end="", file=sys.stderr, flush=True)


def _typed() -> Iterator[list[bytes]]:
    """Lines typed at a terminal, one at a time, with the editing keys and history of a shell."""
    _edit_lines()
    while True:
        try:
            line = input(PROMPT)
        except EOFError:
            return
        yield [line.encode(errors="surrogateescape")]


def _edit_lines() -> None:
    """Let `input` read UTF-8 with readline, if this Python has it; a Windows console has its own line editing."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        import readline  # noqa: PLC0415
    except ImportError:
        return
    if "libedit" not in (readline.__doc__ or ""):
        readline.parse_and_bind("set enable-bracketed-paste off")  # it writes control sequences around each prompt
