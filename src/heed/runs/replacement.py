"""Replace one run by another: the old run's files are moved aside until the new run has a checkpoint.

.replaced         the old run's files; the folder around it contains the new run
.replaced-partly  some of the old run's files; the others are still in their places, and there is no new run yet

Both are heed's if they contain the file `.written-by-heed`. After each step, `settle` can see from the files what is
left to do, so a process may be killed between any two steps.
"""

import os
from contextlib import suppress
from pathlib import Path

from heed.errors import UserError
from heed.files import sync_folder
from heed.runs.own_files import ENVIRONMENT, has_checkpoint, own_files, remove, remove_empty

REPLACED, PARTLY, MARK = ".replaced", ".replaced-partly", ".written-by-heed"


def put_aside(folder: Path) -> Path | None:
    """Move all files that heed has written in a run folder aside; return their folder, or None if there was no run.

    Call it in a settled folder.

    Raises:
        UserError: the folder to move them to exists and is not heed's.
    """
    files = own_files(folder)
    if not files or files == [folder / ENVIRONMENT]:
        return None
    replaced, partly = folder / REPLACED, folder / PARTLY
    _refuse_strangers(replaced, partly)
    partly.mkdir(exist_ok=True)
    (partly / MARK).touch()
    for path in files:
        aside = partly / path.relative_to(folder)
        aside.parent.mkdir(parents=True, exist_ok=True)
        path.rename(aside)
    remove_empty(folder, files)
    sync_folder(folder)
    if replaced.exists():
        replaced.rmdir()  # empty: a process was killed before it could remove it
    partly.rename(replaced)
    return replaced


def is_unsettled(folder: Path) -> bool:
    """Whether files of an old run are moved aside in this folder."""
    return any((folder / name / MARK).is_file() for name in (REPLACED, PARTLY))


def settle(folder: Path) -> None:
    """Keep one run in the folder: the new one if it has a checkpoint, otherwise the old one.

    Call it while the folder is locked.
    """
    replaced, partly = folder / REPLACED, folder / PARTLY
    if (replaced / MARK).is_file():
        if has_checkpoint(folder):
            for path in own_files(replaced):
                path.unlink(missing_ok=True)
            _remove_marked(replaced)
            return
        remove(folder, own_files(folder))
        replaced.rename(partly)
    if (partly / MARK).is_file():
        _put_back(partly, folder)


def _put_back(partly: Path, folder: Path) -> None:
    files = [path for path in partly.rglob("*") if not path.is_dir() and path != partly / MARK]
    for path in files:
        place = folder / path.relative_to(partly)
        if not os.path.lexists(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            path.rename(place)
    _remove_marked(partly)


def _remove_marked(aside: Path) -> None:
    """Remove the folder if it contains only empty folders and its mark."""
    for place, _, _ in os.walk(aside, topdown=False):
        with suppress(OSError):  # not empty
            Path(place).rmdir()
    if [path.name for path in aside.iterdir()] == [MARK]:
        (aside / MARK).unlink()
        with suppress(OSError):
            aside.rmdir()


def _refuse_strangers(replaced: Path, partly: Path) -> None:
    for path in (replaced, partly):
        if os.path.lexists(path) and (path.is_symlink() or not path.is_dir() or any(path.iterdir())):
            raise UserError(f"{path} exists, but heed needs this path for the files of the old run; move it away")
