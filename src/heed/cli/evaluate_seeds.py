"""heed-evaluate for several runs that differ only in their seed, and the folders that it writes to."""

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
    """The folder for an evaluation: `output`, or one beside the model; each job of a sweep has its own.

    Args:
        output: the folder that the user asked for, or None.
        model: the model folder, or several.
        seeds: the seeds that are evaluated together; their folder is named after all of them.
        split: the split of the corpus.
        corpus: its name, or None for the model's own.

    Raises:
        UserError: several models are given without `output`.
    """
    if output:
        return Path(output, job_name() or "")
    named = filled(model, "+".join(map(str, seeds))) if seeds else model
    return evaluation_path(only_model(named, "DIR"), split, corpus) / (job_name() or "")


def of_seed(seed: int, model: str | Sequence[str], versus: str | None, output: str | None) -> dict[str, Any]:
    """The settings for one of several seeds."""
    output = str(Path(output, f"seed-{seed}")) if output else None
    return {"seeds": None, "model": filled(model, seed), "versus": versus and filled(versus, seed), "output": output}


def evaluate_seeds(
    seeds: Sequence[int], model: str | Sequence[str], folder: Path, evaluate: Callable[[int], tuple[Evaluation, Path]]
) -> dict[str, Any]:
    """Write a report for each seed to its own folder and one for all seeds to `folder`; print each when it is ready.

    Args:
        seeds: two or more seeds.
        model: the model folder, or several, with `*` instead of the seed.
        folder: where the report on all seeds is written.
        evaluate: evaluates one seed, writes the evaluation, and returns it with its folder.
    """
    check_runs(model, seeds)
    refuse_strangers_to_several(folder)
    evaluations: dict[int, Evaluation] = {}
    for seed in seeds:
        evaluations[seed], written = evaluate(seed)
        print_harmless(f"seed {seed}: BLEU {evaluations[seed].scores['bleu']:.2f}, written to {written}")
    report = over_seeds(evaluations)
    with writing(folder):
        write_report(folder, report)
    runs = f"mean ± standard deviation over {len(evaluations)} runs"
    print_harmless(f"\n{runs}\n{table_over_runs(report)}\n\nwritten to {folder}")
    return report
