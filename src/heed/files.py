"""Atomic writing of files and folders, and locks; files that heed did not write are never removed or replaced.

Until a file or folder is complete, it has a temporary name: `.NAME.abcdefgh.heed-part`.
"""

import errno
import glob
import hashlib
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
    except ImportError:  # Pyodide, and other systems without file locks
        fcntl = None  # type: ignore[assignment]

PART = ".heed-part"
"""The ending of a temporary name."""

UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
"""Error numbers of file systems that do not support an operation."""

DESCRIPTOR = re.compile(r"/dev/std(?:out|err)|/(?:dev|proc/self)/fd/\d+")

log = logging.getLogger(__name__)


DIGEST = b"<!-- sha256 "
"""The beginning of the comment at the end of a page."""


class AlreadyLocked(Exception):
    """Another process holds the lock."""


def write_whole(path: Path, content: bytes | str, check: Callable[[], object] = lambda: None) -> None:
    """Write a file atomically: a reader, or the disk after a power cut, has either the old or the complete new content.

    A symlink stays, and the file that it names is replaced; a FIFO, a device or `/dev/stdout` is written to. `check` is
    called just before the replacement. It raises a UserError if the file that exists by then may not be replaced; the
    content is kept beside it, and the error says where.

    Raises:
        OSError: the path is a folder, or may not be written.
    """
    data = content.encode() if isinstance(content, str) else content
    replace_whole(path, lambda temporary: temporary.write_bytes(data), check)


def replace_whole(path: Path, write: Callable[[Path], object], check: Callable[[], object] = lambda: None) -> None:
    """Let `write` fill a temporary file, then replace `path` by it, as `write_whole` does."""
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


def with_digest(html: str) -> str:
    """A page with a comment at its end by which `has_digest` recognises it, unless somebody changes it."""
    return f"{html}{DIGEST.decode()}{hashlib.sha256(html.encode()).hexdigest()} -->\n"


def has_digest(html: bytes) -> bool:
    """Whether a page is exactly what `with_digest` returned."""
    content, _, digest = html.rpartition(DIGEST)
    return digest == f"{hashlib.sha256(content).hexdigest()} -->\n".encode()


def write_part(path: Path, write: Callable[[Path], object], mode: int | None = None) -> Path:
    """Let `write` fill a temporary file beside `path`, with permissions `mode` or the default; return its path.

    `put_in_place` renames it to `path`; if that never happens, `parts` finds it.
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
    """Rename a file of `write_part` to its final name."""
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
    """Temporary files of `path`, left by processes that were killed while writing it."""
    pattern = f"{glob.escape(_prefix(path))}????????{PART}"
    return [part for part in path.parent.glob(pattern) if not part.is_symlink()]


def remove_parts(path: Path) -> None:
    """Remove the temporary files of `path`. Call it only while no other process can be writing `path`."""
    for part in parts(path):
        if part.is_file():
            part.unlink(missing_ok=True)


def replace_folder(
    folder: Path, write: Callable[[Path], object], names: Collection[str], check: Callable[[], object] = lambda: None
) -> None:
    """Let `write` fill a new folder, then replace `folder` by it, unless `check` raises a UserError before that.

    Of the old folder, only files with one of the `names` are removed; all others are moved to the new one, which gets
    the permissions of the old one. If `folder` is a symlink, it stays, and the folder that it names is replaced. After
    a power cut, either the old or the new folder is complete. Between the two renames of a replacement neither has its
    name, but both are complete in `.<name>.….heed-part`; `finish_replacing`, or the next replacement, continues from
    there.

    Raises:
        UserError: one of the `names` exists and is not a regular file, so heed has not written it; or the folder is the
            current one, because the shell would then be in a folder that no longer has this name.
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
        shutil.rmtree(work, ignore_errors=True)  # created above, under a unique name
        raise
    _swap(place, work)
    finish_replacing(place, names)


def _swap(place: Path, work: Path) -> None:
    """Rename the old folder to `work`/old and `work`/new to the folder."""
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
    """Finish a replacement of `folder` that a killed process had begun, or remove its temporary files."""
    place = Path(os.path.realpath(folder))
    for work in parts(place):
        new, old = work / "new", work / "old"
        if old.is_dir() and not place.exists():  # in this case the new one is complete
            (new if new.is_dir() else old).rename(place)
        if old.is_dir():
            _move_others(old, place, names)
        for rest in (new, old):
            if rest.is_dir():
                _remove_own(rest, names)
        with suppress(OSError):
            work.rmdir()


def _move_others(old: Path, place: Path, names: Collection[str]) -> None:
    """Move files that heed did not write into the new folder."""
    for child in old.iterdir():
        if child.name not in names and not os.path.lexists(place / child.name):
            child.rename(place / child.name)


def _remove_own(folder: Path, names: Collection[str]) -> None:
    for child in folder.iterdir():
        if (child.name in names or child.name.endswith(PART)) and _is_regular(child):
            child.unlink()
    with suppress(OSError):  # stays if it is not empty
        folder.rmdir()


def _refuse_irregular(folder: Path, names: Collection[str]) -> None:
    if os.path.lexists(folder) and not folder.is_dir():
        raise UserError(f"{folder} is not a folder, so heed has not written it; move it away, or choose another folder")
    irregular = [name for name in names if os.path.lexists(folder / name) and not _is_regular(folder / name)]
    if irregular:
        raise UserError(f"{folder / irregular[0]} is not a regular file, so heed has not written it; move it away")


def _is_regular(path: Path) -> bool:
    """Whether the path is a regular file and not a symlink to one."""
    return path.is_file() and not path.is_symlink()


@contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[None]:
    """Hold the lock of the file `path`, which is created if needed; the system releases it when the process ends.

    If the file system has no locks, a warning is logged and nothing is locked.

    Raises:
        AlreadyLocked: another process holds the lock, and `wait` is false.
        OSError: the file cannot be opened, or is not a regular file.
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
                raise OSError(errno.EEXIST, "is not a regular file", str(path))
            _lock(descriptor, wait)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the process that held the lock has removed the file


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
    """The folder `name` beside a model folder, such as `runs/tiny/evaluate` for `runs/tiny/model`.

    If the model folder is not called `model`, its name is added to the path, because other models may be beside it.
    """
    place = model.resolve()
    return place.parent / (name if place.name == "model" else f"{name}-{place.name}")


def _mode(path: Path) -> int | None:
    """Type and permissions of the file that a path leads to, or None. Raise OSError for a folder."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return mode


def _write_to(path: Path, mode: int, write: Callable[[Path], object]) -> None:
    """Write to a path that cannot be replaced, such as a FIFO, after all content was generated."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder, path.name)
        write(temporary)
        with temporary.open("rb") as made, _opened(path) as stream:
            shutil.copyfileobj(made, stream)


def _opened(path: Path) -> IO[bytes]:
    """A stream to write to. A stream of this process, such as /dev/stdout, is not reopened: that would truncate it."""
    if not DESCRIPTOR.fullmatch(str(path)):
        return path.open("wb", buffering=0)
    number = {"stdout": 1, "stderr": 2}.get(path.name)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.flush()
    return os.fdopen(os.dup(int(path.name) if number is None else number), "wb")


def _prefix(path: Path) -> str:
    """The beginning of the temporary name, shortened so that the name has at most 255 bytes."""
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
        _warn(f"does not support fsync of a {kind}: a power cut may lose what was written last")


def sync_file(descriptor: int) -> None:
    """Force an open file to the disk, if the file system can do so."""
    _sync(descriptor, "file")


def sync_folder(folder: Path) -> None:
    """Force renames in a folder to the disk (fsync), if the file system supports it."""
    if os.name == "nt":
        return  # Windows cannot open a folder
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # the folder may be writable but not readable
        return
    try:
        _sync(descriptor, "folder")
    finally:
        os.close(descriptor)


@cache
def _warn(fault: str) -> None:
    """Log a warning once per process."""
    log.warning("this file system %s", fault)
