"""The command that scores a model: a model folder against a split of a corpus."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from omegaconf import DictConfig
from pydantic import Field

from heed.cli.command import build, door, sweep_name
from heed.cli.each_seed import evaluate_each, together
from heed.cli.nodes import search_settings
from heed.cli.sweep import Left
from heed.data.corpus import Corpus
from heed.errors import UserError
from heed.evaluation import Evaluation, write
from heed.evaluation import evaluate as evaluated
from heed.maps import Level
from heed.runs.evaluation_folder import GALLERY, evaluation_path, refuse_strangers
from heed.runs.report import table
from heed.runs.seeds import check_seeds
from heed.translator import load


@dataclass(frozen=True)
class Settings:
    """The keys of configs/evaluate.yaml; `corpus` is there when another than the model's own was chosen."""

    model: str | list[str]
    seeds: list[int] | None
    versus: str | None
    search: dict[str, Any]
    split: str
    batch_size: Annotated[int, Field(ge=1)] | None
    heatmaps: Annotated[int, Field(ge=0)]
    format: Literal["png", "svg"]
    level: Level
    end: bool
    output: str | None
    device: str
    corpus: dict[str, Any] | None = None


def evaluate(cfg: DictConfig) -> dict[str, Any]:
    """Score the model, or that of each of several seeds, and write the results; the report."""
    check_seeds(cfg.model, cfg.seeds)
    corpus = build(cfg.corpus) if cfg.get("corpus") else None
    if cfg.seeds:
        return evaluate_each(cfg, _folder(together(cfg), corpus), lambda one: _evaluate(one, corpus))
    evaluation, folder = _evaluate(cfg, corpus)
    print(f"{table(evaluation.report)}\n\nwritten to {folder}\nto look at {folder / GALLERY}")
    return evaluation.report


def _evaluate(cfg: DictConfig, corpus: Corpus | None) -> tuple[Evaluation, Path]:
    """The evaluation of one model, and where it was written."""
    name, settings = search_settings(cfg.search)
    translator, folder = load(cfg.model, cfg.device), _folder(cfg, corpus)
    refuse_strangers(folder)
    options = {"batch_size": cfg.batch_size, "versus": cfg.versus, **settings}
    evaluation = evaluated(translator, corpus, cfg.split, name, **options)
    write(evaluation, folder, heatmaps=cfg.heatmaps, format=cfg.format, level=cfg.level, end=cfg.end)
    return evaluation, folder


def _summary(cfg: DictConfig, report: Mapping[str, Any]) -> Iterator[Left]:
    """What a sweep's table shows of an evaluation: its scores, or their mean over the seeds."""
    scores = {**report, **report.get("mean", {})}
    corpus = build(cfg.corpus) if cfg.get("corpus") else None
    yield Left(_folder(together(cfg), corpus), {report["split"]: scores})


def _folder(cfg: DictConfig, corpus: Corpus | None) -> Path:
    """Where to write; a job of a sweep has a folder of its own there. UserError for several models without `output`."""
    if not cfg.output and not isinstance(cfg.model, str):
        raise UserError(f"model=[{','.join(cfg.model)}] lies in no one place; say where to write with output=DIR")
    name = corpus.name if corpus else None
    place = Path(cfg.output) if cfg.output else evaluation_path(Path(cfg.model), cfg.split, name)
    return place / (sweep_name() or "")


main = door(evaluate, Settings, leaves=_summary)

if __name__ == "__main__":
    main()
