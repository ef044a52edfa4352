"""The door to word alignments: what a model's attention says of two texts that belong together."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from omegaconf import DictConfig
from pydantic import Field

from heed import bundle, decoding
from heed.bundle import Bundle
from heed.cli.command import door
from heed.data.corpus import read_lines
from heed.data.named import own_corpus
from heed.errors import UserError
from heed.files import beside, replace_whole, write_whole
from heed.maps import Level, Map, read_gold
from heed.metrics.alignment import Gold, Links, alignment_scores, write_pharaoh, write_weights
from heed.metrics.symmetrisation import grow_diag_final_and, intersection, transpose, union
from heed.runs.alignment_files import refuse_strangers, report_path

Symmetrisation = Literal["grow-diag-final-and", "intersection", "union"]

SYMMETRISATIONS: dict[Symmetrisation, Callable[[Links, Links], Links]] = {
    "grow-diag-final-and": grow_diag_final_and,
    "intersection": intersection,
    "union": union,
}


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
    backward: str | None
    symmetrisation: Symmetrisation
    sentences: Annotated[int, Field(ge=1)]
    device: str


class Text(NamedTuple):
    """What is aligned: lines that belong together, the Pharaoh lines of their gold alignment, and a name for that."""

    sources: Sequence[str]
    targets: Sequence[str]
    gold: Sequence[str] | None
    gold_name: str


def align(cfg: DictConfig) -> list[Links]:
    """Write the alignment of each pair of lines; the links."""
    output = _output(cfg)
    _check(cfg, output)
    device = decoding.device_of(cfg.device)
    loaded = bundle.load(Path(cfg.model), device)
    text = _given(cfg) if cfg.source else _own(cfg, loaded)
    forced = decoding.force(loaded.model, loaded.src, loaded.tgt, text.sources, text.targets, cfg.sentences)
    maps = decoding.forced_maps(forced, loaded.src, loaded.tgt, cfg.level)
    gold = None if text.gold is None else read_gold(text.gold, (found.size for found in maps), text.gold_name)
    links = [found.links(cfg.threshold) for found in maps]
    if cfg.backward:
        links = _both_ways(cfg, links, maps, text, loaded, bundle.load(Path(cfg.backward), device))
    _write(output, "".join(f"{write_pharaoh(found)}\n" for found in links))
    if cfg.weights:
        _write_weights(Path(cfg.weights), maps)
    if gold is not None:
        _report(report_path(output), links, gold)
    print(f"written to {output}")
    return links


def _output(cfg: DictConfig) -> Path:
    """What was asked for, or a place beside the model folder."""
    return Path(cfg.output) if cfg.output else beside(Path(cfg.model), "align") / f"{cfg.split}.align"


def _check(cfg: DictConfig, output: Path) -> None:
    """UserError for keys that do not go together."""
    files = {name: cfg[name] for name in ("source", "target", "output")}
    if cfg.source or cfg.target:
        missing = [f"{name}=FILE" for name, path in files.items() if not path]
        if missing:
            raise UserError(
                f"{' and '.join(missing)} missing; give source, target and output, or none of the first two"
            )
    elif cfg.gold:
        raise UserError(
            f"gold={cfg.gold}, but the text of its own corpus has its own; give source=FILE and target=FILE"
        )
    taken = {Path(cfg[name]).resolve() for name in ("source", "target", "gold") if cfg[name]}
    written = {f"output={output}": output, f"output={output}, with its report beside it,": report_path(output)}
    if cfg.weights:
        written[f"weights={cfg.weights}"] = Path(cfg.weights)
    for name, path in written.items():
        if path.resolve() in taken:
            raise UserError(f"{name} would be written over another of the files that are named; choose another place")
        taken.add(path.resolve())
    refuse_strangers(output, cfg.weights and Path(cfg.weights), scored=True)
    if cfg.level == "piece" and cfg.gold:
        raise UserError(f"gold={cfg.gold} counts words and level=piece does not; use level=word")


def _given(cfg: DictConfig) -> Text:
    sources, targets = read_lines(Path(cfg.source)), read_lines(Path(cfg.target))
    _same_length(cfg.source, sources, cfg.target, targets)
    gold = read_lines(Path(cfg.gold)) if cfg.gold else None
    if gold is not None:
        _same_length(cfg.source, sources, cfg.gold, gold)
    return Text(sources, targets, gold, str(cfg.gold))


def _own(cfg: DictConfig, loaded: Bundle) -> Text:
    """A split of the corpus that the model was trained on."""
    corpus = own_corpus(loaded.about, Path(cfg.model))
    pairs = corpus.read(cfg.split)
    gold = pairs.gold if cfg.level == "word" else None
    return Text(pairs.src, pairs.tgt, gold, f"gold alignment of {corpus.name}, {cfg.split}")


def _both_ways(
    cfg: DictConfig, forward: Sequence[Links], maps: Sequence[Map], text: Text, loaded: Bundle, backward: Bundle
) -> list[Links]:
    """The links of the model and of one of the other direction, made one alignment."""
    given = [backward.about.get(name) for name in ("src_lang", "tgt_lang")]
    expected = [loaded.about.get(name) for name in ("tgt_lang", "src_lang")]
    if all(given) and all(expected) and given != expected:
        raise UserError(
            f"backward={cfg.backward} translates {given[0]} to {given[1]}; "
            f"expected a model of the other direction, {expected[0]} to {expected[1]}"
        )
    forced = decoding.force(backward.model, backward.src, backward.tgt, text.targets, text.sources, cfg.sentences)
    others = decoding.forced_maps(forced, backward.src, backward.tgt, cfg.level)
    for number, (one, other) in enumerate(zip(maps, others, strict=True), start=1):
        if not _divided_alike(one, other, cfg.level):
            raise UserError(
                f"line {number}: the two models divide it otherwise, into {len(one.src)} and {len(other.tgt)} source "
                f"{cfg.level}s and {len(one.tgt)} and {len(other.src)} target {cfg.level}s; "
                "use level=word on text set apart by spaces, or models of one vocabulary"
            )
    merge = SYMMETRISATIONS[cfg.symmetrisation]
    turned = [transpose(found.links(cfg.threshold)) for found in others]
    return [merge(one, other) for one, other in zip(forward, turned, strict=True)]


def _divided_alike(one: Map, other: Map, level: Level) -> bool:
    if level == "piece":
        return (one.src, one.tgt) == (other.tgt, other.src)
    return (len(one.src), len(one.tgt)) == (len(other.tgt), len(other.src))  # an unknown word may read otherwise


def _report(path: Path, links: Sequence[Links], gold: Sequence[Gold]) -> None:
    scores = alignment_scores(links, gold)._asdict()
    _write(path, json.dumps(scores, indent=2) + "\n")
    names = {"precision": "precision", "recall": "recall", "f1": "F1", "aer": "AER"}
    print("\n".join(f"{names[name]:10} {value:.3f}" for name, value in scores.items()))


def _write(path: Path, content: str) -> None:
    try:
        write_whole(path, content)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another with output=FILE") from error


def _write_weights(path: Path, maps: Sequence[Map]) -> None:
    try:
        replace_whole(path, lambda new: write_weights(new, (found.between_words for found in maps)))
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another with weights=FILE") from error


def _same_length(path: str, lines: Sequence[str], other_path: str, others: Sequence[str]) -> None:
    if len(lines) != len(others):
        raise UserError(f"{path} has {len(lines)} lines and {other_path} has {len(others)}; expected as many in both")


main = door(align, Settings)

if __name__ == "__main__":
    main()
