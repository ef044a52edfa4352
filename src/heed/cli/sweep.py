"""The outcome of each job of a sweep, in whatever process it ran."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from heed.files import write_whole

FOLDER = "HEED_SWEEP_FOLDER"
KEYS = "HEED_SWEEP_KEYS"
"""Environment variables for the processes of a sweep's jobs: its temporary folder, and what its jobs differ in."""


class Result(NamedTuple):
    """What a job leaves: a folder of its own, and scores by the name of the split that they are of."""

    folder: Path
    scores: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Ended:
    """How a job ended: the exit code that it would have alone, its message, and its result if it got that far."""

    code: int
    message: str = ""
    result: Result | None = None


class Job(NamedTuple):
    """One job: the settings that differ between the jobs of its sweep, and how it ended."""

    settings: Mapping[str, str]
    ended: Ended


def job_name() -> str | None:
    """The name of this job among those of its sweep, such as `seed-2+optim.lr-0.1`; None outside a sweep.

    It names a folder, and needs no quotes when that folder is given to another command.
    """
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    name = "+".join(f"{key}-{value}" for key, value in _swept().items())
    return re.sub(r"[^\w.+-]", "_", name) or str(HydraConfig.get().job.num)


def _swept() -> dict[str, str]:
    """Those of this job's overrides in which the jobs of its sweep differ."""
    keys = os.environ.get(KEYS, "").split(",")
    overrides = (line.partition("=") for line in HydraConfig.get().overrides.task)
    return {key: value for key, _, value in overrides if key in keys}


def write_ended(ended: Ended) -> None:
    """Leave how this job ended for the process that began the sweep."""
    result = ended.result and {"folder": str(ended.result.folder), "scores": ended.result.scores}
    content = {"settings": _swept(), "code": ended.code, "message": ended.message, "result": result}
    write_whole(Path(os.environ[FOLDER], f"{HydraConfig.get().job.num:06}.json"), json.dumps(content))


def read_jobs(folder: Path) -> list[Job]:
    """The jobs that have ended, in the order in which the sweep numbers them."""
    return [_job(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json"))]


def _job(content: Mapping[str, Any]) -> Job:
    result_of_job = content["result"]
    result = result_of_job and Result(Path(result_of_job["folder"]), result_of_job["scores"])
    return Job(content["settings"], Ended(content["code"], content["message"], result))
