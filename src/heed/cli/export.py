"""heed-export: a trained model in a form that needs no training code."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from heed.cli.command import Command
from heed.cli.terminal import print_harmless
from heed.data.named import own_corpus
from heed.errors import UserError, needs
from heed.export.page import choose_examples, write_page
from heed.translator import load

Precision = Literal["float32", "int8"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """The keys of configs/export.yaml; `precision` is None for the usual one of what is written."""

    to: Literal["page", "onnx"]
    model: str | list[str]
    output: str
    precision: Precision | None
    split: str


def export(settings: Settings) -> None:
    """Write what `to` names, and print where it is and how large."""
    models = [settings.model] if isinstance(settings.model, str) else settings.model
    KINDS[settings.to](settings, [Path(model) for model in models])


def _onnx(settings: Settings, models: list[Path]) -> None:
    with needs("onnx"):
        from heed.export.onnx import export_onnx  # noqa: PLC0415 - a page needs none of it
    if len(models) != 1:
        raise UserError(f"model=[{','.join(map(str, models))}]: an ONNX folder holds one model; export each by itself")
    output = Path(settings.output)
    export_onnx(models[0], output, settings.precision or "float32")
    sizes = (f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in sorted(output.glob("*.onnx")))
    print_harmless(f"written to {output}: {', '.join(sizes)}")


def _page(settings: Settings, models: list[Path]) -> None:
    output = Path(settings.output)
    size = write_page(models, output, settings.precision or "int8", _examples(models[0], settings.split))
    print_harmless(f"written to {output}: {size / 1e6:.2f} MB; open it in a browser")


def _examples(model: Path, split: str) -> list[str]:
    """Sentences of the model's own corpus to try; none if it cannot be read here, which a page does without."""
    about = load(model, "cpu").about
    try:
        return choose_examples(own_corpus(about, model).read(split).src)
    except UserError as error:
        reason = str(error).partition("; say")[0]  # which text to read cannot be said to this command
        log.warning("the page has no example sentences: %s", reason)
        return []


KINDS: dict[str, Callable[[Settings, list[Path]], None]] = {"page": _page, "onnx": _onnx}
"""What can be written, by the first word of the command line."""

main = Command("export", export, Settings, shorthands={kind: f"to={kind}" for kind in KINDS})

if __name__ == "__main__":
    main()
