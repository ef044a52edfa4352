"""The door to translating: a line in, a line out."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, cast

from omegaconf import DictConfig, OmegaConf
from pydantic import Field
from rich.console import Console

from heed import bundle, decoding
from heed.bundle import Bundle
from heed.cli.command import build, door
from heed.decoding import Precision, Translation
from heed.errors import UserError
from heed.maps import attention_map, divide, divide_line
from heed.text.subwords import Subwords
from heed.viz.interlinear import interlinear

CHUNK = 1 << 16
"""Bytes asked for at once: a pipe's capacity on Linux, and some thousand lines, enough to sort by length."""


ROWS = 256
"""Hypotheses that grow at once, unless `sentences` says otherwise: fewer waste what a step costs anyway, and more do
not fit into a processor's cache."""


@dataclass(frozen=True)
class Settings:
    """The keys of configs/translate.yaml."""

    model: str | list[str]
    search: dict[str, Any]
    n_best: Annotated[int, Field(ge=1)] | None
    alignment: bool | None
    interactive: bool | None
    sentences: Annotated[int, Field(ge=1)] | None
    device: str
    precision: Precision


def translate(cfg: DictConfig) -> int:
    """Translate standard input to standard output; the number of lines."""
    n_best = _wanted(cfg)
    search = OmegaConf.merge(cfg.search, {"n_best": n_best} if "n_best" in cfg.search else {})
    loaded = bundle.load_ensemble(cfg.model, decoding.device_of(cfg.device))
    # draws of a seed should be the same on every processor, unless they are asked to be fast
    exact = cfg.precision == "auto" and "seed" in cfg.search
    decoding.set_precision(loaded.model, "float32" if exact else cfg.precision)
    model = (loaded.model, loaded.src, loaded.tgt)
    sentences = cfg.sentences or max(1, ROWS // cfg.search.get("beam_size", n_best))
    run = partial(decoding.translate, *model, search=build(cast(DictConfig, search)), sentences=sentences)
    tell = partial(n_best_lines, subwords=loaded.tgt) if n_best > 1 else _one_line
    terminal = sys.stdin.isatty() if cfg.interactive is None else cfg.interactive
    if terminal:
        print(f"{_greeting(_name(cfg.model), loaded.about)}\nType a sentence and Enter; Ctrl-D ends.", file=sys.stderr)
    waiting = blocks(sys.stdin.fileno(), _prompt if terminal else lambda: None)
    watched = cfg.interactive or sys.stderr.isatty()
    wanted = terminal and watched if cfg.alignment is None else cfg.alignment
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
    count = _stream(waiting, run, tell, (lambda found: _show(console, found, loaded)) if wanted else None)
    if terminal:
        print(file=sys.stderr)
    return count


def _wanted(cfg: DictConfig) -> int:
    """How many translations of a line; UserError for more than the search will find."""
    n_best: int = cfg.n_best or cfg.search.get("n_best") or 1
    name = str(cfg.search["_target_"]).rpartition(".")[2]
    if n_best > 1 and "n_best" not in cfg.search:
        raise UserError(f"n_best={n_best}: search={name} finds one translation; choose search=beam or search=sample")
    beam_size = cfg.search.get("beam_size", n_best)
    if beam_size < 1:
        raise UserError(f"search.beam_size={beam_size}, expected 1 or more")
    if n_best > beam_size:
        raise UserError(f"n_best={n_best} of a beam of {beam_size}; give search.beam_size={n_best} or more")
    return n_best


def _one_line(number: int, found: Translation) -> str:
    return f"{found.text}\n"


def n_best_lines(number: int, found: Translation, subwords: Subwords) -> str:
    """`number ||| translation ||| score` for each, best first, as Moses writes its lists; lines count from 0."""
    return "".join(f"{number} ||| {subwords.decode(one.ids)} ||| {one.score:.4f}\n" for one in found.candidates)


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
    tell: Callable[[int, Translation], str],
    show: Callable[[Translation], None] | None,
) -> int:
    """Translate blocks of lines as they come; a line that is not UTF-8 is told of when all is done."""
    count, wrong, first_wrong = 0, 0, 0
    for block in waiting:
        lines = [line.decode(errors="replace").removesuffix("\r") for line in block]
        for number, found in enumerate(run(lines), start=count):
            sys.stdout.buffer.write(tell(number, found).encode())
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


def _name(model: str | Sequence[str]) -> str:
    return model if isinstance(model, str) else " and ".join(model)


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
