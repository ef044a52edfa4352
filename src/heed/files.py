"""Files written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader, or a machine that stops now, finds the old content or all of the new."""
    data = content.encode() if isinstance(content, str) else content
    replace_whole(path, lambda temporary: temporary.write_bytes(data))


def replace_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in the place of `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def replace_folder(folder: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a new folder beside `folder`, then put it in the place of `folder`, all of whose files go.

    A machine that stops now leaves the old folder or the new one; between the two renames of a replacement, neither
    under its name but both whole, as `.<name>.old` and `.<name>.new`.
    """
    new, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        write(new)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    _sync_folder(new)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.replace(old)
    new.replace(folder)
    _sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def beside(model: Path, name: str) -> Path:
    """The folder called `name` beside a model folder: `runs/tiny/evaluate` for `runs/tiny/model`.

    A model folder of another name than a run gives it has a folder by its own name there, as it may have neighbours.
    """
    place = model.resolve()
    return place.parent / (name if place.name == "model" else f"{name}-{place.name}")
