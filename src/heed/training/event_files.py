"""Which event files in a run folder are those of the run: others may lie beside them, and stay as they are."""

import json
import re
from pathlib import Path

FOLDER = "tensorboard"

SUFFIX = ".heed"
"""How the names of event files end that heed writes."""

FORMER = re.compile(r"events\.out\.tfevents\.\d+\..+\.\d+\.\d+")
"""Their names in runs that were begun before heed marked them."""

FIRST_RECORD = b"brain.Event"


def own_event_files(run: Path) -> list[Path]:
    """The event files that heed has written for the run in this folder, oldest first."""
    former = not _marks_its_files(run)
    return [
        path
        for path in sorted((run / FOLDER).glob("events.out.tfevents.*"))
        if (path.name.endswith(SUFFIX) or (former and FORMER.fullmatch(path.name))) and _is_event_file(path)
    ]


def _marks_its_files(run: Path) -> bool:
    """Whether the run was begun by a heed that marks its files: then its environment has the digest of its text."""
    try:
        return "text" in json.loads((run / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _is_event_file(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return FIRST_RECORD in file.read(64)
