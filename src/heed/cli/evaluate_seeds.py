"""heed-evaluate for several runs that differ in their seed alone, and where it writes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from heed.cli.nodes import only_model
from heed.cli.sweep import job_name
from heed.cli.terminal import print_harmless
from heed.evaluation import Evaluation, over_seeds
from heed.runs.evaluation_folder import evaluation_path, refuse_strangers_to_several, write_report, writing
from heed.runs.report import table_over_runs
from heed.runs.seeds import check_runs, filled


def folder_of(
    output: str | None, model: str | Sequence[str], seeds: Sequence[int] | None, split: str, corpus: str | None
) -> Path:
    """Where an evaluation is written: beside the model, if no `output` is asked for; a job of a sweep has its own.

    Args:
        output: a folder.
        model: the model folder, or several.
        seeds: those that are evaluated together; the folder is then named after all of them.
        split: which part of the corpus.
        corpus: its name, or None for the model's own.

    Raises:
        UserError: several models without `output`.
    """
    if output:
        return Path(output, job_name() or "")
    named = filled(model, "+".join(map(str, seeds))) if seeds else model
    return evaluation_path(only_model(named, "DIR"), split, corpus) / (job_name() or "")


def of_seed(seed: int, model: str | Sequence[str], versus: str | None, output: str | None) -> dict[str, Any]:
    """The settings of one of several seeds."""
    output = str(Path(output, f"seed-{seed}")) if output else None
    return {"seeds": None, "model": filled(model, seed), "versus": versus and filled(versus, seed), "output": output}


def evaluate_seeds(
    seeds: Sequence[int], model: str | Sequence[str], folder: Path, evaluate: Callable[[int], tuple[Evaluation, Path]]
) -> dict[str, Any]:
    """A report on each seed, where it would be alone, and one on them all in `folder`; printed as they come.

    Args:
        seeds: two or more.
        model: the model folder, or several, with `*` in the place of the seed.
        folder: where the report on them all is written.
        evaluate: makes the evaluation of a seed, writes it, and returns it and its folder.
    """
    check_runs(model, seeds)
    refuse_strangers_to_several(folder)
    each: dict[int, Evaluation] = {}
    for seed in seeds:
        each[seed], place = evaluate(seed)
        print_harmless(f"seed {seed}: BLEU {each[seed].scores['bleu']:.2f}, written to {place}")
    report = over_seeds(each)
    with writing(folder):
        write_report(folder, report)
    print_harmless(
        f"\nmean ± standard deviation over {len(each)} runs\n{table_over_runs(report)}\n\nwritten to {folder}"
    )
    return report
