"""heed-export: write a trained model as a web page or as ONNX."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from heed.cli.command import Task
from heed.cli.entry import start
from heed.cli.terminal import print_harmless
from heed.data.named import UnreadableCorpus, own_corpus
from heed.errors import UserError, needs
from heed.export.page import choose_examples, write_page
from heed.translator import load

Precision = Literal["float32", "int8"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """The keys of configs/export.yaml; if `precision` is None, the format's default is used."""

    to: Literal["page", "onnx"]
    model: str | list[str]
    output: str
    precision: Precision | None
    split: str


def export(settings: Settings) -> None:
    """Write the format that `to` names; print its path and size."""
    models = [settings.model] if isinstance(settings.model, str) else settings.model
    KINDS[settings.to](settings, [Path(model) for model in models])


def _onnx(settings: Settings, models: list[Path]) -> None:
    with needs("onnx"):
        from heed.export.onnx import export_onnx  # noqa: PLC0415 - a page does not need onnx
    if len(models) != 1:
        raise UserError(f"model=[{','.join(map(str, models))}]: expected one model; export each to its own ONNX folder")
    output = Path(settings.output)
    export_onnx(models[0], output, settings.precision or "float32")
    sizes = (f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in sorted(output.glob("*.onnx")))
    print_harmless(f"written to {output}: {', '.join(sizes)}")


def _page(settings: Settings, models: list[Path]) -> None:
    output = Path(settings.output)
    size = write_page(models, output, settings.precision or "int8", _examples(models[0], settings.split))
    print_harmless(f"written to {output}: {size / 1e6:.2f} MB; open it in a browser")


def _examples(model: Path, split: str) -> list[str]:
    """Example sentences from the model's own corpus; none, with a warning, if it cannot be read on this machine."""
    about = load(model, "cpu").about
    try:
        return choose_examples(own_corpus(about, model).read(split).src)
    except UserError as error:
        # the advice to give a text is left out, because this command has no setting for it
        reason = error.reason if isinstance(error, UnreadableCorpus) else error
        log.warning("the page has no example sentences: %s", reason)
        return []


KINDS: dict[str, Callable[[Settings, list[Path]], None]] = {"page": _page, "onnx": _onnx}
"""The export formats, by the first word of the command line."""

task = Task(export, Settings)

if __name__ == "__main__":
    start("export")
