"""Lines from a stream as they come, and translations to another."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any

from rich.console import Console

from heed.cli.remarks import Seen
from heed.errors import UserError
from heed.text.controls import harmless
from heed.translation import Translation
from heed.viz.interlinear import interlinear

CHUNK = 1 << 16
"""Bytes asked for at once: a pipe's capacity on Linux, and some thousand lines, enough to sort by length."""


PROMPT = "> "


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
    output: IO[bytes],
) -> Seen:
    """Translate blocks of lines as they come and write them to `output`; what there was to notice.

    Raises:
        UserError: when all is done, if a line was not UTF-8.
    """
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
            "convert the input first, as with: iconv -f latin1 -t utf-8"
        )
    return seen


def _for_terminal(lines: str) -> str:
    """Lines that a stranger's model may have written, with no control sequence among them."""
    return "".join(f"{harmless(line)}\n" for line in lines.removesuffix("\n").split("\n"))


def one_line(number: int, translation: Translation) -> str:
    """The translation alone."""
    return f"{translation.text}\n"


def n_best_lines(number: int, translation: Translation) -> str:
    """`number ||| translation ||| score` for each, best first, as Moses writes its lists; lines count from 0."""
    return "".join(f"{number} ||| {one.text} ||| {one.score:.4f}\n" for one in translation.candidates)


def show_attention(console: Console, translation: Translation) -> None:
    """Under each word of a translation the source word, or </s>, that the model looked at most."""
    shown = translation.shown(end=True)
    words = [harmless(word) for word in translation.tgt.marked(translation.words)]
    sources = [harmless(word) for word in shown.src]
    console.print(f"{interlinear(shown.weights[: len(words)], sources, words, console.width)}\n", style="dim")


def prompt() -> None:
    """Ask for the next line."""
    print(PROMPT, end="", file=sys.stderr, flush=True)


def typed() -> Iterator[list[bytes]]:
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
