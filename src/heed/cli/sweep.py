"""What a sweep leaves: the outcome of each job, in whatever process it ran, and a table of what was tried."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from heed.cli.terminal import print_harmless
from heed.errors import UserError
from heed.files import write_whole
from heed.runs.run_folder import SWEEP

FOLDER = "HEED_SWEEP_FOLDER"
KEYS = "HEED_SWEEP_KEYS"
"""Environment variables for the processes of a sweep's jobs: its temporary folder, and what its jobs differ in."""

TABLE_MARK = "<!-- written by heed -->"

SPLITS = ("train", "valid", "test")


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
    left = content["result"]
    result = left and Result(Path(left["folder"]), left["scores"])
    return Job(content["settings"], Ended(content["code"], content["message"], result))


def print_table(jobs: Sequence[Job]) -> None:
    """Print the table, and write it into the folder in which those of the jobs lie, where that is one."""
    failed = sum(job.ended.code != 0 for job in jobs)
    shown = table(jobs)
    print_harmless(f"\nsweep      {len(jobs)} jobs, {failed} failed\n\n{shown}")
    places = {job.ended.result.folder.parent for job in jobs if job.ended.result}
    if len(places) == 1:
        path = places.pop() / SWEEP
        if path.exists() and not _is_table(path):
            raise UserError(f"{path} is there, and heed has not written it; the table is not written")
        write_whole(path, f"{shown}\n{TABLE_MARK}\n")
        print_harmless(f"\nwritten to {path}")


def _is_table(path: Path) -> bool:
    """Whether a file is a table that a former sweep has left."""
    *lines, last = path.read_bytes().splitlines() or [b""]
    return last == TABLE_MARK.encode() and all(line.startswith(b"|") for line in lines)


def table(jobs: Sequence[Job]) -> str:
    """A Markdown table with a row for each job; a column that no row fills is left out."""
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
    """Key in a report -> its name in the table, and its format there."""
    from heed.metrics.scores import shown_scores  # noqa: PLC0415 - translating does without sacreBLEU

    return {"search": ("search", ""), **shown_scores()}
