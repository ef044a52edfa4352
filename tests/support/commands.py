"""Run a command as from a command line, in a fork of this process."""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from heed.cli import align, evaluate, export, train, translate
from tests.support.permissions import permissions_count

COMMANDS = {"train": train, "evaluate": evaluate, "translate": translate, "align": align, "export": export}


class Outcome(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The last line of standard error, which is the error message."""
        return self.err.splitlines()[-1] if self.err else ""


def forked(folder: Path, name: str, *arguments: str, stdin: bytes = b"", encoding: str = "utf-8") -> Outcome:
    """Run the command in a fork, with its streams in files of `folder`; permission bits apply even to root.

    `encoding` is that of the terminal. The output is read as UTF-8, and bytes that are not UTF-8 become surrogates.
    """
    streams = [folder / f".std{name}" for name in ("in", "out", "err")]
    streams[0].write_bytes(stdin)
    child = os.fork()
    if child == 0:
        try:
            for number, path in enumerate(streams):
                os.dup2(os.open(path, os.O_RDONLY if number == 0 else os.O_CREAT | os.O_TRUNC | os.O_WRONLY), number)
            with permissions_count():
                os._exit(_code(name, arguments, encoding))
        finally:
            os._exit(99)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Outcome(code, *(path.read_text("utf-8", "surrogateescape") for path in streams[1:]))


def _code(name: str, arguments: tuple[str, ...], encoding: str) -> int:
    # pytest has replaced these streams by its own
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(*stream, encoding=encoding) for stream in enumerate("rww"))
    sys.argv = [f"heed-{name}", *arguments]
    try:
        COMMANDS[name].main()
    except SystemExit as leaving:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return leaving.code if isinstance(leaving.code, int) else 98
    return 97
