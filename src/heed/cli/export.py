"""heed-export: a trained model in a form that needs no training code."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from heed.cli.command import Command
from heed.export.onnx import export_onnx


@dataclass(frozen=True)
class Settings:
    """The keys of configs/export.yaml; `precision` is None for the usual one of what is written."""

    to: Literal["onnx"]
    model: str
    output: str
    precision: Literal["float32", "int8"] | None


def export(settings: Settings) -> None:
    """Write what `to` names, and print where it is and how large."""
    KINDS[settings.to](settings)


def _onnx(settings: Settings) -> None:
    output = Path(settings.output)
    export_onnx(Path(settings.model), output, settings.precision or "float32")
    sizes = (f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in sorted(output.glob("*.onnx")))
    print(f"written to {output}: {', '.join(sizes)}")


KINDS: dict[str, Callable[[Settings], None]] = {"onnx": _onnx}
"""What can be written, by the first word of the command line."""

main = Command("export", export, Settings, shorthands={kind: f"to={kind}" for kind in KINDS})

if __name__ == "__main__":
    main()
