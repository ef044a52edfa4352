"""What a sweep leaves: what each job came to, in whatever process it ran, and a table of what was tried."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast
from unittest.mock import patch

from hydra._internal.hydra import Hydra
from hydra.core.utils import JobReturn

from heed.errors import UserError
from heed.files import write_whole
from heed.runs.evaluation_folder import REPORT, SCORES, evaluation_path
from heed.runs.run_folder import SWEEP

SHOWN = {"search": ("search", ""), **SCORES}
"""Key in a report -> its name in the table, and its format there."""

RECORD = "HEED_SWEEP_RECORD"
"""Environment variable: the folder for Hydra's record of a sweep, as configs name it."""

SPLITS = ("train", "valid", "test")


class Left(NamedTuple):
    """What a job leaves: a folder of its own, and scores by the name of the split that they are of."""

    folder: Path
    scores: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Ended:
    """How a job ended, as it says itself, in whatever process it ran."""

    code: int
    message: str = ""
    left: Left | None = None


class Job(NamedTuple):
    """One job: what sets it apart from the others, and how it ended."""

    settings: Mapping[str, str]
    ended: Ended


@contextmanager
def returns() -> Iterator[list[JobReturn]]:
    """What the jobs of a sweep return, in whatever process they ran: Hydra's own main drops it."""
    found: list[JobReturn] = []
    multirun = Hydra.multirun

    def kept(*arguments: Any, **keywords: Any) -> Any:
        batches = multirun(*arguments, **keywords)
        found.extend(job for batch in batches for job in batch)
        return batches

    with patch.object(Hydra, "multirun", kept):
        yield found


@contextmanager
def record_aside() -> Iterator[None]:
    """Have Hydra write its own record of a sweep where no file of a user is; each run folder holds its whole config.

    It goes into the folder that hydra.sweep.dir names in heed's configs, and would replace a `multirun.yaml` there.
    """
    with tempfile.TemporaryDirectory(prefix="heed-") as folder, patch.dict(os.environ, {RECORD: folder}):
        yield


def refuse_record(folder: str) -> None:
    """UserError if Hydra's record of a sweep would replace a file in a folder that the user has chosen for it."""
    if os.path.lexists(Path(folder, "multirun.yaml")):
        raise UserError(f"hydra.sweep.dir={folder}: Hydra would replace {folder}/multirun.yaml; leave that setting out")


def scored(model: Path) -> dict[str, Any]:
    """The report on the test split of the model's own corpus; where there is none yet, `heed-evaluate` makes it.

    That is another program, as if the user had called it. UserError where it refuses; it has said why.
    """
    report = evaluation_path(model, "test", None) / REPORT
    if not report.exists() or report.stat().st_mtime < (model / "config.json").stat().st_mtime:
        quoted = str(model).replace("'", r"\'")
        sys.stdout.flush()
        code = subprocess.run([sys.executable, "-m", "heed.cli.evaluate", f"model='{quoted}'"], check=False).returncode
        if code == 2:
            raise UserError(f"{model} is trained and stays, but its test split was not scored; mend that, then repeat")
        if code:
            raise RuntimeError(f"heed-evaluate ended with {code}")
    return cast(dict[str, Any], json.loads(report.read_text(encoding="utf-8")))


def tell(jobs: Sequence[Job]) -> None:
    """Print the table, and write it into the folder in which those of the jobs lie, where that is one."""
    failed = sum(job.ended.code != 0 for job in jobs)
    shown = table(jobs)
    print(f"\nsweep      {len(jobs)} jobs, {failed} failed\n\n{shown}")
    places = {job.ended.left.folder.parent for job in jobs if job.ended.left}
    if len(places) == 1:
        path = places.pop() / SWEEP
        if path.exists() and not _is_table(path):
            raise UserError(f"{path} is there, and heed has not written it; the table is not written")
        write_whole(path, f"{shown}\n")
        print(f"\nwritten to {path}")


def _is_table(path: Path) -> bool:
    """Whether a file is a table that a former sweep has left."""
    lines = path.read_bytes().splitlines()
    return len(lines) > 1 and all(line.startswith(b"|") for line in lines) and set(lines[1]) <= set(b"|-")


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
    for split, scores in job.ended.left.scores.items() if job.ended.left else ():
        row |= _scores(split, scores)
    return row | ({"ended": f"failed: {job.ended.message}".replace("|", "\\|")} if job.ended.code else {})


def _scores(split: str, scores: Mapping[str, Any]) -> dict[str, str]:
    return {
        title: format(scores[key], form)
        for title, (key, (_, form)) in zip(_titles(split), SHOWN.items(), strict=True)
        if scores.get(key) is not None
    }


def _titles(split: str) -> list[str]:
    return [f"{split} {name}" for name, _ in SHOWN.values()]
