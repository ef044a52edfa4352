"""Lines to translate: those of a file, of standard input as they come, or typed at a terminal."""

import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from heed.data.lines import existing, read_lines
from heed.errors import UserError

CHUNK = 1 << 16
"""Bytes asked for at once: a pipe's capacity on Linux, and some thousand lines, enough to sort by length."""

PROMPT = "> "


def input_lines(path: str | None, terminal: bool) -> Iterator[list[bytes]]:
    """The lines of a file all at once, or those of standard input as they come; at a `terminal` with a prompt."""
    if path:
        return iter([[line.encode() for line in read_lines(existing(path))]])
    if terminal and sys.stdin.isatty() and sys.stdout.isatty():
        return _typed()
    return blocks(_descriptor(), _prompt if terminal else lambda: None)


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


def greeting(folder: str, about: Mapping[str, Any]) -> str:
    """From which language the model translates to which, if its folder says so."""
    languages = [about.get("src_lang"), about.get("tgt_lang")]
    known = all(isinstance(name, str) and name.isprintable() and name for name in languages)
    return f"{folder}: from {languages[0]} to {languages[1]}." if known else f"{folder} is ready."


def _descriptor() -> int:
    if sys.stdin is None:
        raise UserError("standard input is closed; give it a file, as < FILE, or input=FILE")
    return sys.stdin.fileno()


def _prompt() -> None:
    print(PROMPT, end="", file=sys.stderr, flush=True)


def _typed() -> Iterator[list[bytes]]:
    """Lines that are typed at a terminal, one at a time, with the editing keys and the history of a shell."""
    _edit_lines()
    while True:
        try:
            line = input(PROMPT)
        except EOFError:
            return
        yield [line.encode(errors="surrogateescape")]


def _edit_lines() -> None:
    """Let `input` read UTF-8 by readline, if this Python has it; a console of Windows edits lines by itself."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        import readline  # noqa: PLC0415
    except ImportError:
        return
    if "libedit" not in (readline.__doc__ or ""):
        readline.parse_and_bind("set enable-bracketed-paste off")  # it writes control sequences around each prompt
