"""TensorBoard's event files of a run: one for each start, cut back to the checkpoint from which a run is continued.

TensorBoard reads the files of a folder in the order of their names, which begin with the time of their making. That
must be the order of the steps too: to its readers a step back is a restart, for which they hide what they have read. A
file made after the clock was set back would come first; the earlier ones are renamed then. The end of a name says which
start wrote the file, and stays.
"""

import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from heed.files import sync_file

NAME = re.compile(r"events\.out\.tfevents\.(?P<seconds>\d+)(?P<rest>\..*\.heed-(?P<start>\d+))")
"""As TensorBoard's writer makes it, with our suffix."""

FORMER = re.compile(r"events\.out\.tfevents\.\d+\..+\.\d+\.\d+")
"""Names of event files in runs that were begun before heed marked them."""

FOLDER = "tensorboard"

FIRST_RECORD = b"brain.Event"

Sizes = dict[str, int]
"""Number of a start -> bytes of its event file. The number is text, as in the names of files."""


def suffix(start: int) -> str:
    """What the name of the event file of a start ends with; the first start is 1."""
    return f".heed-{start}"


def sizes(folder: Path) -> Sizes:
    """The event files as they are on the disk, once the disk has them: nothing of them is lost with the machine."""
    for path in _paths(folder).values():
        with path.open("rb") as file:
            sync_file(file.fileno())
    return {start: path.stat().st_size for start, path in _paths(folder).items()}


def cut_back(folder: Path, recorded: Mapping[str, int]) -> int:
    """Take out what was written after `recorded`; the number of the next start.

    Later files are removed and longer ones cut, at what was the end of a record. Files of other programs stay.
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
    """Whether the run was begun by a heed that marks its files: then its environment has the digest of its text."""
    try:
        return "text" in json.loads((run / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _event_files(folder: Path) -> list[Path]:
    """Files that hold events, and are no links to such files."""
    named = folder.glob("events.out.tfevents.*")
    return [path for path in named if path.is_file() and not path.is_symlink() and _holds_events(path)]


def _holds_events(path: Path) -> bool:
    with path.open("rb") as file:
        return FIRST_RECORD in file.read(64)


def _put_before(folder: Path, seconds: int) -> None:
    """Rename files, in their order, if one of them would come after a file that is made at this time."""
    ordered = sorted(_paths(folder).items(), key=lambda item: int(item[0]))
    made = [int(_parts(path)["seconds"]) for _, path in ordered]
    if not made or max(made) < seconds:
        return
    for earlier, (_, path) in zip(range(len(ordered), 0, -1), ordered, strict=True):
        path.rename(path.with_name(f"events.out.tfevents.{max(seconds - earlier, 0):010}{_parts(path)['rest']}"))


def _paths(folder: Path) -> dict[str, Path]:
    """The files that were written here, by the number of their start."""
    return {_parts(path)["start"]: path for path in _event_files(folder) if NAME.fullmatch(path.name)}


def _parts(path: Path) -> dict[str, str]:
    parts = NAME.fullmatch(path.name)
    assert parts
    return parts.groupdict()
