"""The three streams of a command: what becomes of it if one of them is closed, or cannot be written to."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from heed.errors import UserError
from heed.text.controls import harmless

FAULTS = (errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC)
"""What writing to a stream fails with if its file or device takes no more; a reader that has gone is another matter."""


def fill_closed() -> None:
    """Open what `2>&-` and its like have closed, or the next file that is opened would take the stream's number.

    The new stream cannot be used either: standard input cannot be read, the others cannot be written.
    """
    for number, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_RDONLY)):
        if not _is_open(number):
            os.open(os.devnull, flags)  # takes the lowest number that is free, which is this one


def check_output() -> None:
    """UserError if standard output was closed; standard error may be, as nothing but messages is lost with it."""
    if sys.stdout is None:
        raise UserError("standard output is closed; send it to a file, or to /dev/null")
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process


def check_folder() -> None:
    """UserError if the current folder was removed, as no path would lead anywhere."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError("the folder that you are in was removed; go to another one") from None


def is_fault(error: OSError) -> bool:
    """Whether an error is that of a stream, and not of a file, which has a name."""
    return error.filename is None and error.errno in FAULTS


@contextmanager
def writing() -> Iterator[None]:
    """UserError for what cannot be printed: far from here, it would look like a fault of the run folder's disk."""
    try:
        yield
    except OSError as error:
        if not is_fault(error):
            raise
        discard_output()
        raise UserError(unwritten(error)) from error


def unwritten(error: OSError) -> str:
    """The message for it."""
    return f"what it prints cannot be written ({error.strerror}); send it to another place"


def discard_output() -> None:
    """Drop what could not be written, or the interpreter tries it again as it exits, and complains."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def print_error(line: str) -> None:
    """A line on standard error, unless that cannot be written either."""
    with suppress(OSError):
        print(harmless(line), file=sys.stderr, flush=True)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
