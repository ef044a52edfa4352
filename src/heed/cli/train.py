"""heed-train: train a run with the settings of a config, and print its results."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from heed import evaluation
from heed.cli.bars import bars
from heed.cli.command import Task
from heed.cli.entry import start
from heed.cli.progress import TerminalReporter
from heed.cli.sweep import Result, job_name
from heed.cli.terminal import print_harmless
from heed.cli.validation_table import duration
from heed.experiment import Run, Settings, has_test, train
from heed.metrics.scores import metrics
from heed.runs.evaluation_folder import REPORT, evaluation_path
from heed.shipped import CHECKOUT
from heed.training.ranks import process_rank


def train_and_print(settings: Settings) -> Run:
    """Train, or resume an earlier run; print the results."""
    job = job_name()
    settings = replace(settings, run=f"{settings.run}/{job}") if job else settings
    with bars():
        run = train(settings, reporter=TerminalReporter(bar=settings.progress_bar))
    if process_rank() == 0:
        print_harmless(summary(run, has_test(settings)))
    return run


def summary(run: Run, tested: bool) -> str:
    """The results of the run, and the commands to try next."""
    best, report = run.report["best"], run.report
    shown = [
        f"{metric.title} {format(best[name], metric.format)}"
        for name, metric in metrics().items()
        if _in_line(name, best)
    ]
    finished = f"{run.folder} was already finished; overwrite=true retrains it\n" if run.was_finished else ""
    return (
        f"{finished}\nbest       {', '.join(shown)} on the validation split, at step {best['step']:,} of "
        f"{report['steps']:,}"
        f"\ntime       {duration(report['seconds'])}, {report['tokens_per_second']:,.0f} target tokens/s"
        f"\nmodel      {run.folder}/model"
        f"\nnext       {next_commands(run.folder, tested, in_checkout=Path.cwd() == CHECKOUT)}"
    )


def next_commands(folder: Path, tested: bool, in_checkout: bool) -> str:
    """The commands to type next: `make` targets inside the checkout, the installed commands elsewhere."""
    if in_checkout:
        place, split = f"RUN={shlex.quote(str(folder))}", "" if tested else " ARGS=split=valid"
        return f"make evaluate {place}{split}, make translate {place}, make board"
    place, split = shlex.quote(f"model={folder}/model"), "" if tested else " split=valid"
    # tensorboard keeps ten pictures of each sentence by default, and with images=0 none
    board = f"tensorboard --samples_per_plugin images=1000 --logdir {shlex.quote(str(folder))}"
    return f"heed-evaluate {place}{split}, heed-translate {place}, {board}"


def _in_line(name: str, best: Mapping[str, Any]) -> bool:
    return name in best and name not in ("loss", "perplexity")


def results(settings: Settings, run: Run) -> Iterator[Result]:
    """The results for a sweep's table: the best validation, then the same with the test split, if there is one."""
    scores = {"valid": run.report["best"]}
    yield Result(run.folder, scores)
    if has_test(settings) and process_rank() == 0:
        yield Result(run.folder, scores | {"test": scores_of_test(run)})


def scores_of_test(run: Run) -> dict[str, Any]:
    """The report on the test split: the one in the run folder, or a new one if the model is newer than that."""
    folder = evaluation_path(run.folder / "model", "test", None)
    path, model = folder / REPORT, run.folder / "model" / "config.json"
    if not path.exists() or path.stat().st_mtime < model.stat().st_mtime:
        evaluation.write(evaluation.evaluate(run.translator, split="test"), folder)
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


task = Task(train_and_print, Settings, results)

if __name__ == "__main__":
    start("train")
