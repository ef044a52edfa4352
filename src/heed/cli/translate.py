"""heed-translate: a line in, a line out."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from heed.cli.command import Command
from heed.cli.input_lines import greeting, input_lines
from heed.cli.nodes import search_settings
from heed.cli.remarks import print_notes
from heed.cli.translate_lines import n_best_lines, one_line, refuse_file, shown, write_translations
from heed.errors import UserError
from heed.text.controls import harmless
from heed.translator import Precision, load


@dataclass(frozen=True)
class Settings:
    """The keys of configs/translate.yaml."""

    model: str | list[str]
    input: str | None
    output: str | None
    search: Mapping[str, Any]
    show_attention: bool | None
    interactive: bool | None
    replace_unk: bool
    batch_size: Annotated[int, Field(ge=1)] | None
    device: str
    precision: Precision


def translate(settings: Settings) -> int:
    """Translate standard input, or a file, to standard output, or a file; the number of lines."""
    name, search = search_settings(settings.search)
    n_best = search.pop("n_best") or 1
    _check_files(settings)
    translator = load(settings.model, settings.device, settings.precision)
    options = {"n_best": n_best, "replace_unk": settings.replace_unk, "batch_size": settings.batch_size, **search}
    terminal = _at_terminal(settings)
    if terminal:
        model = settings.model if isinstance(settings.model, str) else " and ".join(settings.model)
        print(
            f"{harmless(greeting(model, translator.about))}\nType a sentence and Enter; Ctrl-D ends.", file=sys.stderr
        )
    watched = terminal and (bool(settings.interactive) or sys.stderr.isatty())
    seen = write_translations(
        settings.output,
        input_lines(settings.input, terminal),
        lambda lines: translator.translate(lines, name, **options),
        n_best_lines if n_best > 1 else one_line,
        shown(remarks=watched, attention=watched if settings.show_attention is None else settings.show_attention),
    )
    if terminal:
        print(file=sys.stderr)
    else:
        print_notes(seen.summary())
    return seen.lines


def _at_terminal(settings: Settings) -> bool:
    """Whether sentences are typed."""
    if settings.input:
        return False
    return sys.stdin is not None and sys.stdin.isatty() if settings.interactive is None else settings.interactive


def _check_files(settings: Settings) -> None:
    """UserError for an output that is the input, and for an input of which sentences would be typed."""
    if settings.input and settings.interactive:
        raise UserError(f"input={settings.input} and interactive=true; give one of them")
    if settings.input and settings.output and Path(settings.input).resolve() == Path(settings.output).resolve():
        raise UserError(f"output={settings.output} would be written over input={settings.input}; choose another place")
    refuse_file(settings.output or os.devnull)


main = Command("translate", translate, Settings, shorthands={"--interactive": "interactive=true"})

if __name__ == "__main__":
    main()
