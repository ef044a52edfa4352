"""TensorBoard's event files of a run: one for each start, truncated to the checkpoint from which a run is resumed.

TensorBoard reads the files of a folder in the order of their names, which begin with their creation time. This must be
the order of the steps too, because TensorBoard treats a smaller step as a restart and hides what it has read before. If
the clock was set back, a new file would come first, so earlier files are renamed. The end of a name says which start
wrote the file, and is kept.
"""

import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

NAME = re.compile(r"events\.out\.tfevents\.(?P<seconds>\d+)(?P<rest>\..*\.heed-(?P<start>\d+))")
"""File names of TensorBoard's writer, with heed's suffix."""

FORMER = re.compile(r"events\.out\.tfevents\.\d+\..+\.\d+\.\d+")
"""File names in older runs, in which heed did not mark event files."""

FOLDER = "tensorboard"

FIRST_RECORD = b"brain.Event"

Sizes = dict[str, int]
"""Number of a start -> bytes of its event file. The number is a string, as in file names."""


def suffix(start: int) -> str:
    """The ending of the event file of a start; the first start is 1."""
    return f".heed-{start}"


def sizes(folder: Path) -> Sizes:
    """Force the event files to the disk and return their sizes."""
    for path in _paths(folder).values():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return {start: path.stat().st_size for start, path in _paths(folder).items()}


def cut_back(folder: Path, recorded: Mapping[str, int]) -> int:
    """Remove everything written after `recorded`; return the number of the next start.

    Later files are removed, longer ones truncated at the end of a record. Files of other programs are not changed.
    """
    for start, path in _paths(folder).items():
        if start not in recorded:
            path.unlink()
        elif path.stat().st_size > recorded[start]:
            os.truncate(path, recorded[start])
    _put_before(folder, int(time.time()))
    return max(map(int, recorded), default=0) + 1


def own_event_files(run: Path) -> list[Path]:
    """The event files that heed has written for the run in this folder, in the order of their names."""
    former = (
        {}
        if _marks_its_files(run)
        else {path.name: path for path in _event_files(run / FOLDER) if FORMER.fullmatch(path.name)}
    )
    marked = {path.name: path for path in _paths(run / FOLDER).values()}
    return [path for _, path in sorted({**former, **marked}.items())]


def _marks_its_files(run: Path) -> bool:
    """Whether the run was begun by a version of heed that marks its files; then environment.json has a text digest."""
    try:
        return "text" in json.loads((run / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _event_files(folder: Path) -> list[Path]:
    """Files that contain events and are not symlinks."""
    named = folder.glob("events.out.tfevents.*")
    return [path for path in named if path.is_file() and not path.is_symlink() and _holds_events(path)]


def _holds_events(path: Path) -> bool:
    with path.open("rb") as file:
        return FIRST_RECORD in file.read(64)


def _put_before(folder: Path, seconds: int) -> None:
    """Rename files, in order, so that a file created now comes after them."""
    ordered = sorted(_paths(folder).items(), key=lambda item: int(item[0]))
    made = [int(_parts(path)["seconds"]) for _, path in ordered]
    if not made or max(made) < seconds:
        return
    for earlier, (_, path) in zip(range(len(ordered), 0, -1), ordered, strict=True):
        path.rename(path.with_name(f"events.out.tfevents.{max(seconds - earlier, 0):010}{_parts(path)['rest']}"))


def _paths(folder: Path) -> dict[str, Path]:
    """The event files of heed, by the number of their start."""
    return {_parts(path)["start"]: path for path in _event_files(folder) if NAME.fullmatch(path.name)}


def _parts(path: Path) -> dict[str, str]:
    parts = NAME.fullmatch(path.name)
    assert parts
    return parts.groupdict()
