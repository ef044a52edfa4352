"""An evaluation of several runs that differ in their seed alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from heed.evaluation import Evaluation
from heed.runs.evaluation_folder import refuse_strangers_to_several, write_report, writing
from heed.runs.report import over_runs, table_over_runs
from heed.runs.seeds import check_runs, filled


def evaluate_each(
    cfg: DictConfig, folder: Path, evaluate: Callable[[DictConfig], tuple[Evaluation, Path]]
) -> dict[str, Any]:
    """A report on each seed, where it would be alone, and one on them all, in a folder that names them together."""
    check_runs(cfg.model, cfg.seeds)
    refuse_strangers_to_several(folder)
    reports = []
    for seed in cfg.seeds:
        evaluation, place = evaluate(of_seed(cfg, seed))
        reports.append(evaluation.report)
        print(f"seed {seed}: BLEU {reports[-1]['bleu']:.2f}, written to {place}", flush=True)
    whole = over_runs(cfg.seeds, reports)
    with writing(folder):
        write_report(folder, whole)
    print(f"\nmean ± standard deviation over {len(reports)} runs\n{table_over_runs(whole)}\n\nwritten to {folder}")
    return whole


def together(cfg: DictConfig) -> DictConfig:
    """The settings for all seeds, whose numbers the names of folders then join."""
    return of_seed(cfg, "+".join(map(str, cfg.seeds))) if cfg.seeds else cfg


def of_seed(cfg: DictConfig, seed: object) -> DictConfig:
    """The settings for one of the seeds, or for all of them under one name."""
    one = {"model": filled(cfg.model, seed), "seeds": None, "versus": cfg.versus and filled(cfg.versus, seed)}
    if cfg.output and isinstance(seed, int):
        one["output"] = str(Path(cfg.output, f"seed-{seed}"))
    return cast(DictConfig, OmegaConf.merge(cfg, one))
