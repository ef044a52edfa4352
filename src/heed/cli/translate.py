"""heed-translate: read lines, write one translated line for each."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from heed.cli.command import Task
from heed.cli.entry import start
from heed.cli.input_lines import greeting, input_lines
from heed.cli.nodes import search_settings
from heed.cli.output_lines import n_best_lines, one_line, shown
from heed.cli.remarks import print_notes
from heed.cli.translate_lines import refuse_file, write_translations
from heed.errors import UserError, needs
from heed.text.controls import harmless
from heed.translator import Precision, load, read_source


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
    split: str | None
    closest: Literal["bleu", "chrf"] | None
    corpus: Mapping[str, Any] | None = None


def translate(settings: Settings) -> int:
    """Translate standard input, a file or a split of a corpus; return the number of lines."""
    if settings.split:
        return _translate_split(settings, settings.split)
    if settings.corpus or settings.closest:
        raise UserError("corpus and closest need a split of a corpus; give split=train and output=PREFIX too")
    name, search = search_settings(settings.search)
    n_best = search.pop("n_best") or 1
    _check_files(settings)
    translator = load(settings.model, settings.device, settings.precision)
    terminal = _at_terminal(settings)
    if terminal:
        model = settings.model if isinstance(settings.model, str) else " and ".join(settings.model)
        welcome = harmless(greeting(model, translator.about))
        print(f"{welcome}\nType a sentence and press Enter; Ctrl-D ends.", file=sys.stderr)
    watched = terminal and (bool(settings.interactive) or sys.stderr.isatty())
    seen = write_translations(
        settings.output,
        input_lines(settings.input, terminal),
        lambda lines, first: translator.search_lines(
            read_source(lines, translator.bundle.src, first=first),
            name,
            search,
            n_best=n_best,
            replace_unk=settings.replace_unk,
            batch_size=settings.batch_size,
        ),
        n_best_lines if n_best > 1 else one_line,
        shown(remarks=watched, attention=watched if settings.show_attention is None else settings.show_attention),
    )
    if terminal:
        print(file=sys.stderr)
    else:
        print_notes(seen.summary())
    return seen.lines


def _translate_split(settings: Settings, split: str) -> int:
    with needs("train"):
        from heed.cli.translate_split import translate_and_print  # noqa: PLC0415 - lines do without corpora

    if settings.input or settings.interactive or settings.show_attention:
        raise UserError(f"split={split} goes without input, interactive and show_attention; leave these out")
    return translate_and_print(
        settings.model,
        settings.corpus,
        split,
        output=settings.output,
        search=settings.search,
        closest=settings.closest,
        replace_unk=settings.replace_unk,
        batch_size=settings.batch_size,
        device=settings.device,
        precision=settings.precision,
    )


def _at_terminal(settings: Settings) -> bool:
    """Whether sentences are typed at a terminal."""
    if settings.input:
        return False
    return sys.stdin is not None and sys.stdin.isatty() if settings.interactive is None else settings.interactive


def _check_files(settings: Settings) -> None:
    """Raise UserError if the output is the input or exists already, or if `input` is combined with `interactive`."""
    if settings.input and settings.interactive:
        raise UserError(f"input={settings.input} and interactive=true exclude each other; give only one")
    if settings.input and settings.output and Path(settings.input).resolve() == Path(settings.output).resolve():
        raise UserError(f"output={settings.output} would overwrite input={settings.input}; choose another path")
    refuse_file(settings.output or os.devnull)


task = Task(translate, Settings)

if __name__ == "__main__":
    start("translate")
