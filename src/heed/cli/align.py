"""heed-align: link the words of a text to the words of its translation, by a model's attention."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from heed.alignment import Alignment, align_text, own_text, read_text, write
from heed.attribution import Method
from heed.cli.align_files import check_files, check_text, output_path
from heed.cli.command import Task
from heed.cli.entry import start
from heed.cli.terminal import print_harmless
from heed.maps import Level, Symmetrisation
from heed.metrics.alignment import Links
from heed.translator import load

NAMES = {"precision": "precision", "recall": "recall", "f1": "F1", "aer": "AER"}


@dataclass(frozen=True)
class Settings:
    """The keys of configs/align.yaml."""

    model: str | list[str]
    source: str | None
    target: str | None
    gold: str | None
    split: str
    output: str | None
    level: Level
    method: Method
    noisy_copies: Annotated[int, Field(ge=0)]
    threshold: Annotated[float, Field(gt=0, le=1)] | None
    weights: str | None
    reverse: str | list[str] | None
    symmetrisation: Symmetrisation
    batch_size: Annotated[int, Field(ge=1)] | None
    device: str


def align(settings: Settings) -> list[Links]:
    """Write the alignment of each pair of lines; return the links."""
    output = output_path(settings.output, settings.model, settings.split)
    check_text(settings.source, settings.target, settings.output, settings.gold, settings.level)
    check_files([settings.source, settings.target, settings.gold], output, settings.weights, bool(settings.output))
    translator = load(settings.model, settings.device)
    if settings.source and settings.target:
        text = read_text(settings.source, settings.target, settings.gold)
    else:
        text = own_text(translator, settings.split)
    aligned = align_text(
        translator,
        text,
        threshold=settings.threshold,
        level=settings.level,
        method=settings.method,
        noisy_copies=settings.noisy_copies,
        reverse=load(settings.reverse, settings.device) if settings.reverse else None,
        symmetrisation=settings.symmetrisation,
        batch_size=settings.batch_size,
        keep_maps=settings.weights is not None,
    )
    write(aligned, output, Path(settings.weights) if settings.weights else None, given=bool(settings.output))
    print_harmless("\n".join([*summary(aligned, settings.method), f"written to {output}"]))
    return aligned.links


def summary(aligned: Alignment, method: Method) -> list[str]:
    """The scores, notes on the links, and the time of the method, compared with that of attention."""
    scores = aligned.scores._asdict() if aligned.scores else {}
    lines = [*(f"{NAMES[name]:10} {value:.3f}" for name, value in scores.items()), *aligned.notes]
    if aligned.links:
        took, attention = aligned.method_seconds, f"{aligned.attention_seconds:.1f} s"
        compared = f"{took:.1f} s, {took / aligned.attention_seconds:.1f} times attention's {attention}"
        lines.append(f"{method} took {attention if method == 'attention' else compared}")
    return lines


task = Task(align, Settings)

if __name__ == "__main__":
    start("align")
