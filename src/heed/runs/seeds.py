"""Several runs that differ in nothing but their seed, named at once: `runs/tiny/seed-*/model` and the seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from heed import bundle
from heed.errors import UserError
from heed.runs.run_folder import CONFIG, differences

PLACE = "*"
"""Stands for the seed; Hydra and a shell that finds no such file leave it as it is."""


def filled(model: str | Sequence[str], seed: object) -> Any:
    """The path, or each of several, with the seed in its place."""
    return model.replace(PLACE, str(seed)) if isinstance(model, str) else [filled(one, seed) for one in model]


def check_seeds(model: str | Sequence[str], seeds: Sequence[int] | None) -> None:
    """UserError where a name and the seeds do not belong together."""
    named = [model] if isinstance(model, str) else list(model)
    if seeds is None and any(PLACE in one and not Path(one).exists() for one in named):
        raise UserError(f"model={','.join(named)}: {PLACE} stands for a seed; give seeds=[1,2,3] too")
    if seeds is None:
        return
    if len(set(seeds)) < max(2, len(seeds)):
        raise UserError(f"seeds={list(seeds)}: expected two seeds at least, all different, as in seeds=[1,2,3]")
    if not all(PLACE in one for one in named):
        raise UserError(
            f"model={','.join(named)}: seeds={list(seeds)} asks for a model of each; put {PLACE} where the seed "
            f"stands, as in model=runs/tiny/seed-{PLACE}/model"
        )


def check_runs(model: str | Sequence[str], seeds: Sequence[int]) -> None:
    """UserError unless there is a model for every seed, and nothing but the seed tells their runs apart."""
    first: dict[str, dict[str, Any]] = {}
    for seed in seeds:
        for pattern in [model] if isinstance(model, str) else model:
            folder = Path(filled(pattern, seed))
            settings = _settings(folder, seed)
            expected = first.setdefault(pattern, settings)
            if found := differences(expected, settings):
                raise UserError(
                    f"{folder} is of other settings than {filled(pattern, seeds[0])} ({', '.join(found)}); a mean is "
                    "over runs that differ in their seed alone"
                )


def _settings(folder: Path, seed: int) -> dict[str, Any]:
    """What the model is, and where it lies in the folder of its run, how it was trained; without the seed."""
    loaded = bundle.load(folder)
    vocabularies = {"src_vocab": len(loaded.src), "tgt_vocab": len(loaded.tgt)}
    try:
        run = yaml.safe_load((folder.parent / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError:
        run = None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{folder.parent / CONFIG} cannot be read; copy the run folder again") from error
    if run is not None and (not isinstance(run, dict) or run.get("seed") != seed):
        named = run.get("seed") if isinstance(run, dict) else None
        raise UserError(f"{folder} is of a run with seed={named}, and seed {seed} was expected there")
    settings = {key: of for key, of in (run or {}).items() if key != "seed"}
    return {"architecture": loaded.architecture.to_dict() | vocabularies, **settings}
