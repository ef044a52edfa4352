"""Several runs that differ only in their seed, given as a pattern and the seeds: `runs/tiny/seed-*/model`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from heed import bundle
from heed.errors import UserError
from heed.runs.own_files import CONFIG
from heed.runs.run_folder import differences

PLACE = "*"
"""Placeholder for the seed; Hydra does not change it, nor does a shell if no file matches."""


def filled(model: str | Sequence[str], seed: object) -> Any:
    """The path, or several paths, with the placeholder replaced by the seed."""
    return model.replace(PLACE, str(seed)) if isinstance(model, str) else [filled(one, seed) for one in model]


def check_seeds(model: str | Sequence[str], seeds: Sequence[int] | None) -> None:
    """Raise UserError if there is a placeholder without seeds, or seeds without a placeholder."""
    named = [model] if isinstance(model, str) else list(model)
    if seeds is None and any(PLACE in one and not Path(one).exists() for one in named):
        raise UserError(f"model={','.join(named)}: {PLACE} stands for a seed; give seeds=[1,2,3] too")
    if seeds is None:
        return
    if len(set(seeds)) < max(2, len(seeds)):
        raise UserError(f"seeds={list(seeds)}: expected at least two different seeds, such as seeds=[1,2,3]")
    if not all(PLACE in one for one in named):
        raise UserError(
            f"model={','.join(named)}: seeds={list(seeds)} needs {PLACE} in the place of the seed, "
            f"such as model=runs/tiny/seed-{PLACE}/model"
        )


def check_runs(model: str | Sequence[str], seeds: Sequence[int]) -> None:
    """Raise UserError unless there is a model for every seed, and the runs differ only in their seed."""
    first: dict[str, dict[str, Any]] = {}
    for seed in seeds:
        for pattern in [model] if isinstance(model, str) else model:
            folder = Path(filled(pattern, seed))
            settings = _settings(folder, seed)
            expected = first.setdefault(pattern, settings)
            if different := differences(expected, settings):
                raise UserError(
                    f"{folder} has other settings than {filled(pattern, seeds[0])} ({', '.join(different)}); give "
                    "runs that differ only in their seed"
                )


def _settings(folder: Path, seed: int) -> dict[str, Any]:
    """The architecture of a model and, if it is in a run folder, the settings of the run, without the seed."""
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
        raise UserError(f"{folder} belongs to a run with seed={named}; expected seed={seed}")
    settings = {key: of for key, of in (run or {}).items() if key != "seed"}
    return {"architecture": loaded.architecture.to_dict() | vocabularies, **settings}
