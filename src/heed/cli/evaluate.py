"""heed-evaluate: score a model folder on a split of a corpus."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from heed.cli.bars import bars
from heed.cli.command import Task
from heed.cli.entry import start
from heed.cli.evaluate_seeds import evaluate_seeds, folder_of, of_seed
from heed.cli.nodes import search_settings
from heed.cli.sweep import Result
from heed.cli.terminal import print_harmless
from heed.data.corpus import Corpus
from heed.data.readers import read_corpus
from heed.evaluation import Evaluation, write
from heed.evaluation import evaluate as evaluate_model
from heed.maps import Level
from heed.runs.evaluation_folder import GALLERY, check_place
from heed.runs.report import table
from heed.runs.seeds import check_seeds
from heed.translator import load


@dataclass(frozen=True)
class Settings:
    """The keys of configs/evaluate.yaml. If `corpus` is None, the model's own training corpus is used."""

    model: str | list[str]
    seeds: list[int] | None
    versus: str | None
    references: list[str] | str | None
    search: Mapping[str, Any]
    split: str
    batch_size: Annotated[int, Field(ge=1)] | None
    heatmaps: Annotated[int, Field(ge=0)]
    format: Literal["png", "svg"]
    level: Level
    end: bool
    faithfulness: bool
    output: str | None
    device: str
    corpus: Mapping[str, Any] | None = None


def evaluate(settings: Settings) -> dict[str, Any]:
    """Score the model, or the models of several seeds; write and print the results."""
    check_seeds(settings.model, settings.seeds)
    corpus = read_corpus(settings.corpus) if settings.corpus else None

    def of_each(seed: int) -> tuple[Evaluation, Path]:
        own = of_seed(seed, settings.model, settings.versus, settings.output)
        return _evaluate(replace(settings, **own), corpus)

    with bars():
        if settings.seeds:
            return evaluate_seeds(settings.seeds, settings.model, _folder(settings, corpus), of_each)
        evaluation, folder = _evaluate(settings, corpus)
    print_harmless(f"{table(evaluation.report)}\n\nwritten to {folder}\ngallery    {folder / GALLERY}")
    return evaluation.report


def _evaluate(settings: Settings, corpus: Corpus | None) -> tuple[Evaluation, Path]:
    """Evaluate one model; return the evaluation and the folder that it was written to."""
    search, options = search_settings(settings.search)
    translator, folder = load(settings.model, settings.device), _folder(settings, corpus)
    check_place(folder)
    evaluation = evaluate_model(
        translator,
        corpus,
        settings.split,
        search,
        batch_size=settings.batch_size,
        versus=settings.versus,
        references=settings.references or (),
        faithfulness=settings.faithfulness,
        **options,
    )
    write(
        evaluation, folder, heatmaps=settings.heatmaps, format=settings.format, level=settings.level, end=settings.end
    )
    return evaluation, folder


def _folder(settings: Settings, corpus: Corpus | None) -> Path:
    name = corpus.name if corpus else None
    return folder_of(settings.output, settings.model, settings.seeds, settings.split, name)


def results(settings: Settings, report: Mapping[str, Any]) -> Iterator[Result]:
    """The scores for a sweep's table, or their mean over the seeds."""
    corpus = read_corpus(settings.corpus) if settings.corpus else None
    yield Result(_folder(settings, corpus), {report["split"]: {**report, **report.get("mean", {})}})


task = Task(evaluate, Settings, results)

if __name__ == "__main__":
    start("evaluate")
