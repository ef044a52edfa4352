"""The three standard streams of a command: how it reacts if one is closed or cannot be written to."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from heed.errors import UserError
from heed.text.controls import harmless

FAULTS = (errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC)
"""Error numbers of a stream whose file or device is full or broken; a closed pipe is handled separately."""


def fill_closed() -> None:
    """Reopen streams closed by `2>&-` and similar; otherwise the next opened file would get the stream's number.

    The new stream is as unusable as before: standard input cannot be read, the others cannot be written.
    """
    for number, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_RDONLY)):
        if not _is_open(number):
            os.open(os.devnull, flags)  # the system assigns the lowest free number, which is this one


def check_output() -> None:
    """Raise UserError if standard output was closed. Standard error may be closed: only messages are lost."""
    if sys.stdout is None:
        raise UserError("standard output is closed; redirect it to a file, or to /dev/null")
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - stays open as long as the process


def check_folder() -> None:
    """UserError if the current folder was removed, as no path would lead anywhere."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError("the folder that you are in was removed; go to another one") from None


def is_fault(error: OSError) -> bool:
    """Whether an error comes from a standard stream; an error of a file has a file name."""
    return error.filename is None and error.errno in FAULTS


@contextmanager
def writing() -> Iterator[None]:
    """Raise UserError if printing fails; elsewhere the error would look like a full disk of the run folder."""
    try:
        yield
    except OSError as error:
        if not is_fault(error):
            raise
        discard_output()
        raise UserError(unwritten(error)) from error


def unwritten(error: OSError) -> str:
    """The message for output that cannot be written."""
    return f"standard output cannot be written ({error.strerror}); redirect it elsewhere"


def discard_output() -> None:
    """Drop unwritten output; otherwise the interpreter tries to write it again at exit, and prints an error."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def print_error(line: str) -> None:
    """Print a line on standard error, unless that cannot be written either."""
    with suppress(OSError):
        print(harmless(line), file=sys.stderr, flush=True)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
