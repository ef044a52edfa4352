"""Files written whole or not at all, and locks; nothing that heed did not write is removed or replaced.

Until it is complete, what is written has a name of its own: `.NAME.abcdefgh.heed-part`.
"""

import errno
import glob
import logging
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO

from heed.errors import UserError

if sys.platform == "win32":
    import msvcrt
else:
    try:
        import fcntl
    except ImportError:  # Pyodide, and other Pythons that are no Windows and have no locks
        fcntl = None  # type: ignore[assignment]

PART = ".heed-part"
"""How the name ends of what is not complete yet."""

UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
"""What file systems answer that lack an operation."""

DESCRIPTOR = re.compile(r"/dev/std(?:out|err)|/(?:dev|proc/self)/fd/\d+")

log = logging.getLogger(__name__)


class AlreadyLocked(Exception):
    """Another process has the lock."""


def write_whole(path: Path, content: bytes | str, check: Callable[[], object] = lambda: None) -> None:
    """Write a file so that a reader, or a machine that stops now, finds the old content or all of the new.

    A symlink stays, and the file that it names is replaced; a FIFO, a device or `/dev/stdout` is written to. `check`
    raises a UserError if what is there by then may not be replaced; the content is kept beside it, and the error says
    where. OSError for a folder, and for a file that may not be written.
    """
    data = content.encode() if isinstance(content, str) else content
    replace_whole(path, lambda temporary: temporary.write_bytes(data), check)


def replace_whole(path: Path, write: Callable[[Path], object], check: Callable[[], object] = lambda: None) -> None:
    """Let `write` fill a temporary file, then put it in the place of `path`, as `write_whole` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = _mode(path)
    if mode is not None and (DESCRIPTOR.fullmatch(str(path)) or not stat.S_ISREG(mode)):
        _write_to(path, mode, write)
        return
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    part = write_part(target, write, stat.S_IMODE(mode) if mode is not None else None)
    try:
        check()
    except UserError as error:
        raise UserError(f"{error}; what was to be written is in {part}") from error
    put_in_place(part, target)


def write_part(path: Path, write: Callable[[Path], object], mode: int | None = None) -> Path:
    """Let `write` fill a temporary file beside `path`, with permissions `mode` or the usual ones; where it is.

    `put_in_place` makes it the file; `parts` finds it if that does not come to pass.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=PART)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            sync_file(file.fileno())
        _set_mode(temporary, 0o666 & ~_umask() if mode is None else mode)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def put_in_place(part: Path, path: Path) -> None:
    """Give what `write_part` has written the name that it is for."""
    try:
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def check_writable(folder: Path) -> None:
    """OSError if no file can be made in the folder or, if it is not there, in the nearest one above it."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    with tempfile.TemporaryFile(dir=nearest):
        pass


def parts(path: Path) -> list[Path]:
    """What processes that were killed while they wrote `path` have left."""
    pattern = f"{glob.escape(_prefix(path))}????????{PART}"
    return [part for part in path.parent.glob(pattern) if not part.is_symlink()]


def remove_parts(path: Path) -> None:
    """Remove them. Call it only while no other process can be writing `path`."""
    for part in parts(path):
        if part.is_file():
            part.unlink(missing_ok=True)


def replace_folder(
    folder: Path, write: Callable[[Path], object], names: Collection[str], check: Callable[[], object] = lambda: None
) -> None:
    """Let `write` fill a new folder, then put it in the place of `folder`, unless `check` raises a UserError by then.

    Of what stood there, only files called one of `names` are removed: anything else is in the new folder too, which has
    the permissions of the old one. If
    `folder` is a symlink, it stays, and the folder that it names is replaced. A machine that stops now leaves the old
    folder or the new one; between the two renames of a replacement, neither under its name but both whole, side by
    side in `.<name>.….heed-part`: `finish_replacing` goes on from there, and so does the next replacement.

    Raises:
        UserError: one of `names` is there and is no regular file, so heed has not written it; or the folder is the
            current one, which would be another one afterwards than the shell is in.
        OSError: the folder cannot be written.
    """
    place = Path(os.path.realpath(folder))
    finish_replacing(place, names)
    _refuse_irregular(place, names)
    if place == Path(os.path.realpath(Path.cwd())):
        raise UserError(f"{folder} is the folder that you are in; name one below it, or give its path from elsewhere")
    place.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=place.parent, prefix=_prefix(place), suffix=PART))
    new = work / "new"
    try:
        new.mkdir()
        write(new)
        if place.exists():
            _set_mode(new, stat.S_IMODE(place.stat().st_mode))
        sync_folder(new)
        check()
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)  # made above, under a name that nobody else can have used
        raise
    _swap(place, work)
    finish_replacing(place, names)


def _swap(place: Path, work: Path) -> None:
    """Put `work`/new in place, and what stood there into `work`/old."""
    if place.exists():
        place.rename(work / "old")
    try:
        (work / "new").rename(place)
    except BaseException:
        if (work / "old").exists():
            (work / "old").rename(place)
        raise
    sync_folder(place.parent)


def finish_replacing(folder: Path, names: Collection[str]) -> None:
    """Finish a replacement of `folder` that a killed process has begun, or clear away what it had written."""
    place = Path(os.path.realpath(folder))
    for work in parts(place):
        new, old = work / "new", work / "old"
        if old.is_dir() and not place.exists():  # then the new one is complete
            (new if new.is_dir() else old).rename(place)
        if old.is_dir():
            _move_others(old, place, names)
        for rest in (new, old):
            if rest.is_dir():
                _remove_own(rest, names)
        with suppress(OSError):
            work.rmdir()


def _move_others(old: Path, place: Path, names: Collection[str]) -> None:
    """Move what heed did not write to where it was."""
    for child in old.iterdir():
        if child.name not in names and not os.path.lexists(place / child.name):
            child.rename(place / child.name)


def _remove_own(folder: Path, names: Collection[str]) -> None:
    for child in folder.iterdir():
        if (child.name in names or child.name.endswith(PART)) and _is_regular(child):
            child.unlink()
    with suppress(OSError):  # it stays if anything else is in it
        folder.rmdir()


def _refuse_irregular(folder: Path, names: Collection[str]) -> None:
    if os.path.lexists(folder) and not folder.is_dir():
        raise UserError(f"{folder} is no folder, and heed has not made it; move it away, or choose another place")
    strange = [name for name in names if os.path.lexists(folder / name) and not _is_regular(folder / name)]
    if strange:
        raise UserError(f"{folder / strange[0]} is no regular file, so heed has not written it; move it away")


def _is_regular(path: Path) -> bool:
    """Whether it is a file itself, not a symlink to one."""
    return path.is_file() and not path.is_symlink()


@contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[None]:
    """Have the lock of `path`, a file that is made if need be; it goes with the process, however that ends.

    If the file system has no locks, that is logged, and there is none. AlreadyLocked if another process has it and
    this one shall not `wait`; OSError if the file cannot be opened, or is no regular one.
    """
    descriptor = _lock_file(path, wait)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock_file(path: Path, wait: bool) -> int:
    while True:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(path, flags, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EEXIST, "is no regular file", str(path))
            _lock(descriptor, wait)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the process that had the lock has removed the file


if sys.platform == "win32":

    def _lock(descriptor: int, wait: bool) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise AlreadyLocked from error

else:

    def _lock(descriptor: int, wait: bool) -> None:
        if fcntl is None:
            _warn("has no locks: do not start two commands on one folder at the same time")
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise AlreadyLocked from error
        except OSError as error:
            if error.errno not in (*UNSUPPORTED, errno.ENOLCK):
                raise
            _warn("has no locks: do not start two commands on one folder at the same time")


def beside(model: Path, name: str) -> Path:
    """The folder called `name` beside a model folder: `runs/tiny/evaluate` for `runs/tiny/model`.

    A model folder of another name than a run gives it has a folder by its own name there, as it may have neighbours.
    """
    place = model.resolve()
    return place.parent / (name if place.name == "model" else f"{name}-{place.name}")


def _mode(path: Path) -> int | None:
    """Type and permissions of what a path leads to, None if that is nothing; OSError for a folder."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return mode


def _write_to(path: Path, mode: int, write: Callable[[Path], object]) -> None:
    """Write into what cannot be replaced, such as a FIFO, once all of it is made."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder, path.name)
        write(temporary)
        with temporary.open("rb") as made, _opened(path) as stream:
            shutil.copyfileobj(made, stream)


def _opened(path: Path) -> IO[bytes]:
    """A stream to write to; one of this process's own goes on from where it is, as opening it would cut a file off."""
    if not DESCRIPTOR.fullmatch(str(path)):
        return path.open("wb", buffering=0)
    number = {"stdout": 1, "stderr": 2}.get(path.name)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.flush()
    return os.fdopen(os.dup(int(path.name) if number is None else number), "wb")


def _prefix(path: Path) -> str:
    """How the temporary name begins; a name may have 255 bytes."""
    return f".{path.name[:50]}."


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _set_mode(path: Path, mode: int) -> None:
    try:
        path.chmod(mode)
    except OSError as error:
        if error.errno not in (*UNSUPPORTED, errno.EPERM):
            raise
        _warn("cannot set permissions: others may not be able to read what heed writes")


def _sync(descriptor: int, kind: str) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        _warn(f"cannot force a {kind} to the disk (fsync): a power cut may lose what was written last")


def sync_file(descriptor: int) -> None:
    """Force an open file to the disk, if the file system can do so."""
    _sync(descriptor, "file")


def sync_folder(folder: Path) -> None:
    """Force what was renamed in a folder to the disk, if the file system can do so."""
    if os.name == "nt":
        return  # which cannot open a folder
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # it may be written and not listed
        return
    try:
        _sync(descriptor, "folder")
    finally:
        os.close(descriptor)


@cache
def _warn(fault: str) -> None:
    """Once in a process."""
    log.warning("this file system %s", fault)
