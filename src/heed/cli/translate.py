"""The command that translates: a line in, a line out."""

import sys
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from omegaconf import DictConfig
from pydantic import Field
from rich.console import Console

from heed.cli.command import door
from heed.cli.lines import blocks, greeting, n_best_lines, one_line, prompt, show_attention, stream
from heed.cli.nodes import search_settings
from heed.translator import Precision, load


@dataclass(frozen=True)
class Settings:
    """The keys of configs/translate.yaml."""

    model: str | list[str]
    search: dict[str, Any]
    show_attention: bool | None
    interactive: bool | None
    batch_size: Annotated[int, Field(ge=1)] | None
    device: str
    precision: Precision


def translate(cfg: DictConfig) -> int:
    """Translate standard input to standard output; the number of lines."""
    name, settings = search_settings(cfg.search)
    n_best = settings.pop("n_best") or 1
    translator = load(cfg.model, cfg.device, cfg.precision)
    options = {"n_best": n_best, "batch_size": cfg.batch_size, **settings}
    terminal = sys.stdin.isatty() if cfg.interactive is None else cfg.interactive
    if terminal:
        model = cfg.model if isinstance(cfg.model, str) else " and ".join(cfg.model)
        print(f"{greeting(model, translator.about)}\nType a sentence and Enter; Ctrl-D ends.", file=sys.stderr)
    watched = terminal and (cfg.interactive or sys.stderr.isatty())
    shown = watched if cfg.show_attention is None else cfg.show_attention
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
    count = stream(
        blocks(sys.stdin.fileno(), prompt if terminal else lambda: None),
        lambda lines: translator.translate(lines, name, **options),
        n_best_lines if n_best > 1 else one_line,
        partial(show_attention, console) if shown else None,
    )
    if terminal:
        print(file=sys.stderr)
    return count


def main() -> None:
    """The command; `--interactive` is short for `interactive=true`."""
    sys.argv[1:] = ["interactive=true" if word == "--interactive" else word for word in sys.argv[1:]]
    door(translate, Settings)()


if __name__ == "__main__":
    main()
