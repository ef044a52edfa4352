"""The results of a sweep: the outcome of each job, from whatever process it ran in, and a table of all jobs."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from heed.errors import UserError
from heed.files import write_whole
from heed.runs.run_folder import SWEEP

FOLDER = "HEED_SWEEP_FOLDER"
KEYS = "HEED_SWEEP_KEYS"
"""Environment variables for the processes of a sweep's jobs: its temporary folder, and the keys that it varies."""

TABLE_MARK = "<!-- written by heed -->"

SPLITS = ("train", "valid", "test")


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
    overrides = (line.partition("=") for line in HydraConfig.get().overrides.task)
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


def print_table(jobs: Sequence[Job]) -> None:
    """Print the table, and write it into the common parent of the jobs' folders, if they have one."""
    failed = sum(job.ended.code != 0 for job in jobs)
    shown = table(jobs)
    print(f"\nsweep      {len(jobs)} jobs, {failed} failed\n\n{shown}")
    places = {job.ended.result.folder.parent for job in jobs if job.ended.result}
    if len(places) == 1:
        path = places.pop() / SWEEP
        if path.exists() and not _is_table(path):
            raise UserError(f"{path} was not written by heed, so the table is not saved; move that file away")
        write_whole(path, f"{shown}\n{TABLE_MARK}\n")
        print(f"\nwritten to {path}")


def _is_table(path: Path) -> bool:
    """Whether a file is a table written by an earlier sweep."""
    *lines, last = path.read_bytes().splitlines() or [b""]
    return last == TABLE_MARK.encode() and all(line.startswith(b"|") for line in lines)


def table(jobs: Sequence[Job]) -> str:
    """A Markdown table with a row for each job; empty columns are left out."""
    rows = [_row(job) for job in jobs]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    order = [*jobs[0].settings, *(title for split in SPLITS for title in _titles(split)), "ended"]
    columns.sort(key=order.index)
    cells = [columns, *([row.get(key, "") for key in columns] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    rule = "|".join("-" * (width + 2) for width in widths)
    return "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])


def _row(job: Job) -> dict[str, str]:
    row = {key: value.replace("|", "\\|") for key, value in job.settings.items()}
    for split, scores in job.ended.result.scores.items() if job.ended.result else ():
        row |= _scores(split, scores)
    return row | ({"ended": f"failed: {job.ended.message}".replace("|", "\\|")} if job.ended.code else {})


def _scores(split: str, scores: Mapping[str, Any]) -> dict[str, str]:
    return {
        title: format(scores[key], form)
        for title, (key, (_, form)) in zip(_titles(split), _shown().items(), strict=True)
        if scores.get(key) is not None
    }


def _titles(split: str) -> list[str]:
    return [f"{split} {name}" for name, _ in _shown().values()]


def _shown() -> dict[str, tuple[str, str]]:
    """For each key of a report: its name and its format in the table."""
    from heed.metrics.scores import shown_scores  # noqa: PLC0415 - translating does not need sacreBLEU

    return {"search": ("search", ""), **shown_scores()}
