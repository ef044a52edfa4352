"""heed-align: the words of two texts that belong together are linked, by a model's attention."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from heed.cli.aligned_text import Text, check_files, given_text, own_text, write_file, write_weights_file
from heed.cli.command import Command
from heed.files import beside
from heed.maps import Level, Map, Symmetrisation, has_spaces, link_words, read_gold, unknown_note
from heed.metrics.alignment import Links, alignment_scores, misfits, write_pharaoh
from heed.runs.alignment_files import report_path
from heed.translator import Translator, check_reverse, load

NAMES = {"precision": "precision", "recall": "recall", "f1": "F1", "aer": "AER"}


@dataclass(frozen=True)
class Settings:
    """The keys of configs/align.yaml."""

    model: str
    source: str | None
    target: str | None
    gold: str | None
    split: str
    output: str | None
    level: Level
    threshold: Annotated[float, Field(gt=0, le=1)] | None
    weights: str | None
    reverse: str | None
    symmetrisation: Symmetrisation
    batch_size: Annotated[int, Field(ge=1)] | None
    device: str


def align(settings: Settings) -> list[Links]:
    """Write the alignment of each pair of lines; the links."""
    output = (
        Path(settings.output) if settings.output else beside(Path(settings.model), "align") / f"{settings.split}.align"
    )
    check_files(settings, output)
    translator = load(settings.model, settings.device)
    if settings.source and settings.target:
        text = given_text(settings.source, settings.target, settings.gold)
    else:
        text = own_text(settings, translator)
    reverse = load(settings.reverse, settings.device) if settings.reverse else None
    if reverse is not None:
        check_reverse(translator, reverse)
    pairs = translator.force(text.sources, text.targets, batch_size=settings.batch_size)
    maps = [pair.map(settings.level) for pair in pairs]
    gold = None if text.gold is None else read_gold(text.gold, (one.size for one in maps), text.gold_name)
    turned = _turned(settings, reverse, text) if reverse else None
    links = link_words(maps, settings.threshold, turned, settings.symmetrisation)
    write_file(output, "".join(f"{write_pharaoh(one)}\n" for one in links))
    if settings.weights:
        write_weights_file(Path(settings.weights), maps)
    if gold is not None:
        scores = alignment_scores(links, gold)._asdict()
        write_file(report_path(output), json.dumps(scores, indent=2) + "\n")
        print("\n".join(f"{NAMES[name]:10} {value:.3f}" for name, value in scores.items()))
        print("".join(f"{text.gold_name}: {note}\n" for note in misfits(gold, [one.size for one in maps])), end="")
    notes = [*unknown_note("source", [one.src for one in pairs]), *unknown_note("target", [one.tgt for one in pairs])]
    print("".join(f"{note}\n" for note in notes) + f"{_units(settings, text)}written to {output}")
    return links


def _turned(settings: Settings, reverse: Translator, text: Text) -> list[Map]:
    """What the model of the other direction makes of the same pairs."""
    pairs = reverse.force(text.targets, text.sources, batch_size=settings.batch_size)
    return [pair.map(settings.level) for pair in pairs]


def _units(settings: Settings, text: Text) -> str:
    """What the numbers count, if that is not the words between spaces."""
    sides = {"source": text.sources, "target": text.targets}
    unspaced = [side for side, lines in sides.items() if settings.level == "word" and not has_spaces(lines)]
    return "".join(f"{side} words are the model's pieces: the text has no spaces between words\n" for side in unspaced)


main = Command("align", align, Settings)

if __name__ == "__main__":
    main()
