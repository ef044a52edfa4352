"""heed-align: the words of two texts that belong together are linked, by a model's attention."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Annotated

from pydantic import Field

from heed.attribution import Method
from heed.cli.aligned_text import Text, check_files, given_text, own_text, write_file, write_weights_file
from heed.cli.command import Command
from heed.files import beside
from heed.maps import Level, Map, Symmetrisation, Unknown, has_spaces, link_words, read_gold
from heed.metrics.alignment import Links, alignment_scores, misfits, write_pharaoh
from heed.runs.alignment_files import report_path
from heed.translation import Translation
from heed.translator import Translator, check_reverse, forced_portions, load

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
    method: Method
    noisy_copies: Annotated[int, Field(ge=0)]
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
    aligned = _aligned(settings, translator, reverse, text)
    gold = None if text.gold is None else read_gold(text.gold, aligned.sizes, text.gold_name)
    write_file(output, "".join(f"{write_pharaoh(one)}\n" for one in aligned.links))
    if settings.weights:
        write_weights_file(Path(settings.weights), aligned.maps)
    if gold is not None:
        scores = alignment_scores(aligned.links, gold)._asdict()
        write_file(report_path(output), json.dumps(scores, indent=2) + "\n")
        print("\n".join(f"{NAMES[name]:10} {value:.3f}" for name, value in scores.items()))
        print("".join(f"{text.gold_name}: {note}\n" for note in misfits(gold, aligned.sizes)), end="")
    notes = [*aligned.unknown_src.note("source"), *aligned.unknown_tgt.note("target")]
    print("".join(f"{note}\n" for note in notes), end="")
    print(f"{_cost(settings.method, aligned)}{_units(settings, text)}written to {output}")
    return aligned.links


@dataclass
class Aligned:
    """What comes of a text: links, sizes and unknown words of its pairs, maps if they are to be written.

    `attention` are the seconds spent on attention, which is computed in any case, `method` those on another method.
    """

    links: list[Links] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    maps: list[Map] = field(default_factory=list)
    unknown_src: Unknown = field(default_factory=Unknown)
    unknown_tgt: Unknown = field(default_factory=Unknown)
    attention: float = 0.0
    method: float = 0.0


def _aligned(settings: Settings, translator: Translator, reverse: Translator | None, text: Text) -> Aligned:
    """The links of all pairs, and whatever else is reported; maps are dropped portion by portion."""
    aligned = Aligned()
    turned = repeat(None) if reverse is None else _maps(settings, reverse, text.targets, text.sources, aligned)
    for (pairs, maps), other in zip(
        _maps(settings, translator, text.sources, text.targets, aligned), turned, strict=False
    ):
        backward = None if other is None else other[1]
        aligned.links += link_words(
            maps, settings.threshold, backward, settings.symmetrisation, first=len(aligned.links) + 1
        )
        aligned.sizes += [one.size for one in maps]
        aligned.maps += maps if settings.weights else []
        aligned.unknown_src.add(one.src for one in pairs)
        aligned.unknown_tgt.add(one.tgt for one in pairs)
    return aligned


def _maps(
    settings: Settings, translator: Translator, sources: Sequence[str], targets: Sequence[str], aligned: Aligned
) -> Iterator[tuple[list[Translation], list[Map]]]:
    """What a model makes of the pairs, portion by portion, and the map of each by the method of the settings."""
    started = time.perf_counter()
    for pairs in forced_portions(translator, sources, targets, settings.batch_size):
        forced = time.perf_counter()
        maps = translator.maps(
            pairs, settings.method, settings.level, noisy_copies=settings.noisy_copies, batch_size=settings.batch_size
        )
        aligned.attention += forced - started
        aligned.method += time.perf_counter() - forced
        yield pairs, maps
        started = time.perf_counter()


def _cost(method: Method, aligned: Aligned) -> str:
    """What a method other than attention took."""
    if method == "attention" or not aligned.links:
        return ""
    times = aligned.method / aligned.attention
    return f"{method} took {aligned.method:.1f} s, {times:.1f} times attention's {aligned.attention:.1f} s\n"


def _units(settings: Settings, text: Text) -> str:
    """What the numbers count, if that is not the words between spaces."""
    sides = {"source": text.sources, "target": text.targets}
    unspaced = [side for side, lines in sides.items() if settings.level == "word" and not has_spaces(lines)]
    return "".join(f"{side} words are the model's pieces: the text has no spaces between words\n" for side in unspaced)


main = Command("align", align, Settings)

if __name__ == "__main__":
    main()
