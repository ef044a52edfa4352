"""The door to translating: a line in, a line out."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from omegaconf import DictConfig
from pydantic import Field
from rich.console import Console

from heed import bundle, decoding
from heed.bundle import Bundle
from heed.decoding import Translation
from heed.door import build, door
from heed.errors import UserError
from heed.maps import attention_map, divide, divide_line
from heed.viz.interlinear import interlinear

CHUNK = 1 << 16
"""Bytes asked for at once: a pipe's capacity on Linux, and some thousand lines, enough to sort by length."""


@dataclass(frozen=True)
class Settings:
    """The keys of configs/translate.yaml."""

    model: str
    search: dict[str, Any]
    alignment: bool | None
    interactive: bool | None
    sentences: Annotated[int, Field(ge=1)]
    device: str


def translate(cfg: DictConfig) -> int:
    """Translate standard input to standard output; the number of lines."""
    loaded = bundle.load(Path(cfg.model), decoding.device_of(cfg.device))
    run = partial(
        decoding.translate, loaded.model, loaded.src, loaded.tgt, search=build(cfg.search), sentences=cfg.sentences
    )
    terminal = sys.stdin.isatty() if cfg.interactive is None else cfg.interactive
    if terminal:
        print(f"{_greeting(cfg.model, loaded.about)}\nType a sentence and Enter; Ctrl-D ends.", file=sys.stderr)
    waiting = blocks(sys.stdin.fileno(), _prompt if terminal else lambda: None)
    watched = cfg.interactive or sys.stderr.isatty()
    wanted = terminal and watched if cfg.alignment is None else cfg.alignment
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
    count = _stream(waiting, run, (lambda found: _show(console, found, loaded)) if wanted else None)
    if terminal:
        print(file=sys.stderr)
    return count


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


def _stream(
    waiting: Iterator[list[bytes]],
    run: Callable[[list[str]], list[Translation]],
    show: Callable[[Translation], None] | None,
) -> int:
    """Translate blocks of lines as they come; a line that is not UTF-8 is told of when all is done."""
    count, wrong, first_wrong = 0, 0, 0
    for block in waiting:
        lines = [line.decode(errors="replace").removesuffix("\r") for line in block]
        for found in run(lines):
            sys.stdout.buffer.write(f"{found.text}\n".encode())
            if show:
                sys.stdout.buffer.flush()  # at a terminal a translation stands above its alignment
                show(found)
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


def _show(console: Console, found: Translation, loaded: Bundle) -> None:
    """Under each produced word the source word, or </s>, that the model looked at most."""
    best = found.hypothesis
    source = divide_line(found.source, loaded.src, read=len(found.src_ids))
    shown = attention_map(best.attention, source, divide(best.ids, loaded.tgt))
    weights = shown.weights[: len(shown.tgt)]
    console.print(f"{interlinear(weights, shown.with_end().src, shown.tgt, console.width)}\n", style="dim")


def _prompt() -> None:
    print("> ", end="", file=sys.stderr, flush=True)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _greeting(folder: str, about: Any) -> str:
    languages = [about.get("src_lang"), about.get("tgt_lang")]
    known = all(isinstance(name, str) and name.isprintable() and name for name in languages)
    return f"{folder}: from {languages[0]} to {languages[1]}." if known else f"{folder} is ready."


def main() -> None:
    """The door; `--interactive` is heard as `interactive=true`.

    `attention=…` is heard as `alignment=…`, because Hydra takes it for the group of training's configs.
    """
    given = [re.sub("^attention=", "alignment=", word) for word in sys.argv[1:]]
    sys.argv[1:] = ["interactive=true" if word == "--interactive" else word for word in given]
    door(translate, Settings)()


if __name__ == "__main__":
    main()
