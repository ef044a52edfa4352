"""An evaluation of several runs that differ in their seed alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heed.evaluation import Evaluation
from heed.faithfulness import maps_stability
from heed.runs.evaluation_folder import refuse_strangers_to_several, write_report, writing
from heed.runs.report import over_runs, table_over_runs
from heed.runs.seeds import check_runs, filled

if TYPE_CHECKING:
    from heed.cli.evaluate import Settings


def evaluate_each(
    settings: "Settings", folder: Path, evaluate: "Callable[[Settings], tuple[Evaluation, Path]]"
) -> dict[str, Any]:
    """A report on each seed, where it would be alone, and one on them all, in a folder that names them together."""
    seeds = settings.seeds or []
    check_runs(settings.model, seeds)
    refuse_strangers_to_several(folder)
    reports, maps = [], []
    for seed in seeds:
        evaluation, place = evaluate(of_seed(settings, seed))
        if settings.faithfulness:
            maps.append([one.map() for one in evaluation.forced])
        reports.append(evaluation.report)
        print(f"seed {seed}: BLEU {reports[-1]['bleu']:.2f}, written to {place}", flush=True)
    whole = over_runs(seeds, reports)
    if len(maps) > 1:
        whole["stability"] = maps_stability(maps)._asdict()
    with writing(folder):
        write_report(folder, whole)
    print(f"\nmean ± standard deviation over {len(reports)} runs\n{table_over_runs(whole)}\n\nwritten to {folder}")
    return whole


def together(settings: "Settings") -> "Settings":
    """The settings for all seeds, whose numbers the names of folders then join."""
    return of_seed(settings, "+".join(map(str, settings.seeds))) if settings.seeds else settings


def of_seed(settings: "Settings", seed: object) -> "Settings":
    """The settings for one of the seeds, or for all of them under one name."""
    output = (
        str(Path(settings.output, f"seed-{seed}")) if settings.output and isinstance(seed, int) else settings.output
    )
    return replace(
        settings,
        model=filled(settings.model, seed),
        seeds=None,
        versus=settings.versus and filled(settings.versus, seed),
        output=output,
    )
