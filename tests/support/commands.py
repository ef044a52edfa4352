"""Run a command as from a command line, in a fork of this process: a new Python would import torch for seconds."""

import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from heed.cli.entry import start
from tests.support.permissions import permissions_count

for command in ("train", "evaluate", "translate", "align", "export"):
    import_module(f"heed.cli.{command}")  # once, and not in every fork


class Outcome(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The last line of standard error, which is the error message."""
        return self.err.splitlines()[-1] if self.err else ""


LONGEST = 300
"""Seconds after which a command is taken to hang."""


class Started(NamedTuple):
    """A command that runs in a process of its own, with its streams in files."""

    process: ForkProcess
    out: Path
    err: Path

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self.process.pid
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, which must not have ended."""
        assert self.running(), self.err.read_text("utf-8", "replace")
        os.kill(self.pid, number)

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.is_alive()

    def wait(self) -> Outcome:
        """Wait for its end, and kill it if it does not come."""
        self.process.join(LONGEST)
        if self.process.exitcode is None:
            self.process.kill()
            raise AssertionError(f"the command did not end:\n{self.err.read_text('utf-8', 'replace')}")
        return Outcome(self.process.exitcode, *(path.read_text("utf-8", "surrogateescape") for path in self[1:]))


def forked(folder: Path, name: str, *arguments: str, stdin: bytes = b"", encoding: str = "utf-8") -> Outcome:
    """Run the command in a fork, with its streams in files of `folder`; permission bits apply even to root.

    `encoding` is that of the terminal. The output is read as UTF-8, and bytes that are not UTF-8 become surrogates.
    """
    return started(folder, name, *arguments, stdin=stdin, encoding=encoding).wait()


def started(folder: Path, name: str, *arguments: str, stdin: bytes = b"", encoding: str = "utf-8") -> Started:
    """Start the command as `forked` does, and do not wait for it."""

    def work() -> None:
        with permissions_count():
            _run(name, arguments)

    return _fork(work, folder, stdin, encoding)


def started_in_two(folder: Path, *arguments: str) -> Started:
    """Start heed-train in two processes as torchrun does, but as forks, and return the process of the launcher.

    The number of the process of rank N is in the file `.rank-N` of `folder`.
    """

    def rank() -> None:
        (folder / f".rank-{os.environ['RANK']}").write_text(str(os.getpid()))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a fork has the launcher's handler
        _forget_random_state()
        try:
            _run("train", ("distributed=true", "device=cpu", *arguments))
        except SystemExit as ending:
            if ending.code:
                raise  # the launcher waits for a function that ends well to return

    def work() -> None:
        once = LaunchConfig(
            1, 1, 2, rdzv_backend="c10d", rdzv_endpoint="localhost:0", start_method="fork", max_restarts=0
        )
        try:
            elastic_launch(once, rank)()
        except ChildFailedError as failed:
            sys.exit(str(failed))

    for path in folder.glob(".rank-*"):
        path.unlink()
    return _fork(work, folder, b"", "utf-8")


def _fork(work: Callable[[], object], folder: Path, stdin: bytes, encoding: str) -> Started:
    streams = [folder.resolve() / f".std{name}" for name in ("in", "out", "err")]
    streams[0].write_bytes(stdin)
    for path in streams[1:]:
        path.unlink(missing_ok=True)
        path.touch()

    def child() -> None:
        for number, path in enumerate(streams):
            os.dup2(os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_APPEND), number)
        # pytest and multiprocessing have replaced these streams by their own
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(*stream, encoding=encoding) for stream in enumerate("rww"))
        _forget_random_state()
        work()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    return Started(process, *streams[1:])


def _forget_random_state() -> None:
    """Draw as a new process would: otherwise all forks would draw the same numbers where the code sets no seed."""
    random.seed()
    np.random.seed()  # noqa: NPY002 - the state that other libraries use
    torch.seed()


def _run(name: str, arguments: tuple[str, ...]) -> None:
    sys.argv = [f"heed-{name}", *arguments]
    start(name)
