"""The door to word alignments: what a model's attention says of two texts that belong together."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from omegaconf import DictConfig
from pydantic import Field

from heed import bundle, decoding
from heed.data.corpus import read_lines
from heed.door import door
from heed.errors import UserError
from heed.files import write_whole
from heed.metrics.alignment import AlignmentScores, Gold, Links, alignment_scores, read_pharaoh, write_pharaoh


@dataclass(frozen=True)
class Settings:
    """The keys of configs/align.yaml."""

    model: str
    source: str
    target: str
    output: str
    gold: str | None
    sentences: Annotated[int, Field(ge=1)]
    device: str


def align(cfg: DictConfig) -> list[Links]:
    """Write the alignment of each pair of lines; the links."""
    loaded = bundle.load(Path(cfg.model), decoding.device_of(cfg.device))
    sources, targets = read_lines(Path(cfg.source)), read_lines(Path(cfg.target))
    _same_length(cfg.source, sources, cfg.target, targets)
    gold = _gold(cfg, sources) if cfg.gold else None
    forced = decoding.force(loaded.model, loaded.src, loaded.tgt, sources, targets, cfg.sentences)
    links = decoding.links_of(forced, loaded.src, loaded.tgt)
    _write(Path(cfg.output), "".join(f"{write_pharaoh(found)}\n" for found in links))
    if gold is not None:
        scores = alignment_scores(links, gold)
        _write(Path(f"{cfg.output}.report.json"), json.dumps(scores._asdict(), indent=2) + "\n")
        print(_table(scores))
    return links


def _gold(cfg: DictConfig, sources: Sequence[str]) -> list[Gold]:
    lines = read_lines(Path(cfg.gold))
    _same_length(cfg.source, sources, cfg.gold, lines)
    return [read_pharaoh(line) for line in lines]


def _write(path: Path, content: str) -> None:
    try:
        write_whole(path, content)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another with output=FILE") from error


def _same_length(path: str, lines: Sequence[str], other_path: str, others: Sequence[str]) -> None:
    if len(lines) != len(others):
        raise UserError(f"{path} has {len(lines)} lines and {other_path} has {len(others)}; expected as many in both")


def _table(scores: AlignmentScores) -> str:
    return "\n".join(f"{name:10} {value:.3f}" for name, value in scores._asdict().items())


main = door(align, Settings)

if __name__ == "__main__":
    main()
