"""The table of a sweep: the settings of each job, and its scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heed.cli.sweep import Job
from heed.cli.terminal import print_harmless
from heed.errors import UserError
from heed.files import write_whole
from heed.runs.run_folder import SWEEP

TABLE_MARK = "<!-- written by heed -->"

SPLITS = ("train", "valid", "test")


def print_table(jobs: Sequence[Job]) -> None:
    """Print the table, and write it into the common parent of the jobs' folders, if they have one."""
    failed = sum(job.ended.code != 0 for job in jobs)
    shown = table(jobs)
    print_harmless(f"\nsweep      {len(jobs)} jobs, {failed} failed\n\n{shown}")
    places = {job.ended.result.folder.parent for job in jobs if job.ended.result}
    if len(places) == 1:
        path = places.pop() / SWEEP
        if path.exists() and not _is_table(path):
            raise UserError(f"{path} was not written by heed, so the table is not saved; move that file away")
        write_whole(path, f"{shown}\n{TABLE_MARK}\n")
        print_harmless(f"\nwritten to {path}")


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
