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
"""Environment variables for the processes of a sweep's jobs: its temporary folder, and the keys that it varies."""


class Result(NamedTuple):
    """The result of a job: its folder, and its scores by split."""

    folder: Path
    scores: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Ended:
    """How a job ended: its exit code, its message, and its result if there is one."""

    code: int
    message: str = ""
    result: Result | None = None


class Job(NamedTuple):
    """One job: the settings that the sweep varies, and how the job ended."""

    settings: Mapping[str, str]
    ended: Ended


def job_name() -> str | None:
    """The name of this job in its sweep, such as `seed-2+optim.lr-0.1`; None outside a sweep.

    It is used as a folder name, so it contains nothing that a shell or Hydra would require quotes for.
    """
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    name = "+".join(f"{key}-{value}" for key, value in _swept().items())
    return re.sub(r"[^\w.+-]", "_", name) or str(HydraConfig.get().job.num)


def _swept() -> dict[str, str]:
    """The overrides of this job that the sweep varies."""
    keys = os.environ.get(KEYS, "").split(",")
    overrides = (line.lstrip("+").partition("=") for line in HydraConfig.get().overrides.task)
    return {key: value for key, _, value in overrides if key in keys}


def write_ended(ended: Ended) -> None:
    """Save how this job ended, for the process that started the sweep."""
    result = ended.result and {"folder": str(ended.result.folder), "scores": ended.result.scores}
    content = {"settings": _swept(), "code": ended.code, "message": ended.message, "result": result}
    write_whole(Path(os.environ[FOLDER], f"{HydraConfig.get().job.num:06}.json"), json.dumps(content))


def read_jobs(folder: Path) -> list[Job]:
    """The finished jobs, in the order of the sweep."""
    return [_job(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json"))]


def _job(content: Mapping[str, Any]) -> Job:
    result_values = content["result"]
    result = result_values and Result(Path(result_values["folder"]), result_values["scores"])
    return Job(content["settings"], Ended(content["code"], content["message"], result))
