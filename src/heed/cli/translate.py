"""heed-translate: a line in, a line out."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import Field
from rich.console import Console

from heed.cli.command import Command
from heed.cli.lines import blocks, greeting, n_best_lines, one_line, prompt, show_attention, stream
from heed.cli.nodes import search_settings
from heed.translator import Precision, load


@dataclass(frozen=True)
class Settings:
    """The keys of configs/translate.yaml."""

    model: str | list[str]
    search: Mapping[str, Any]
    show_attention: bool | None
    interactive: bool | None
    replace_unk: bool
    batch_size: Annotated[int, Field(ge=1)] | None
    device: str
    precision: Precision


def translate(settings: Settings) -> int:
    """Translate standard input to standard output; the number of lines."""
    name, search = search_settings(settings.search)
    n_best = search.pop("n_best") or 1
    translator = load(settings.model, settings.device, settings.precision)
    options = {"n_best": n_best, "replace_unk": settings.replace_unk, "batch_size": settings.batch_size, **search}
    terminal = sys.stdin.isatty() if settings.interactive is None else settings.interactive
    if terminal:
        model = settings.model if isinstance(settings.model, str) else " and ".join(settings.model)
        print(f"{greeting(model, translator.about)}\nType a sentence and Enter; Ctrl-D ends.", file=sys.stderr)
    watched = terminal and (settings.interactive or sys.stderr.isatty())
    shown = watched if settings.show_attention is None else settings.show_attention
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


main = Command("translate", translate, Settings, shorthands={"--interactive": "interactive=true"})

if __name__ == "__main__":
    main()
