"""Shared by all commands: turn a command line into checked settings, for one run or for each job of a sweep."""

import argparse
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, cast

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from heed.cli.config import compose, show, typed
from heed.cli.flags import OTHERS, read_flags
from heed.cli.hydra_main import answer, run_jobs
from heed.cli.hydra_settings import refuse_hydra_settings
from heed.cli.options import user_folders
from heed.cli.outcome import ended, exit_code, print_no_disk_faults
from heed.cli.overrides import parsed
from heed.cli.renamed import refuse_renamed
from heed.cli.streams import check_folder, check_output
from heed.cli.sweep import Result, write_ended
from heed.cli.terminal import HarmlessLines, print_what_fits
from heed.errors import UserError, needs
from heed.signals import as_exceptions
from heed.training.ranks import process_rank

Results = Callable[[Any, Any], Iterable[Result]]
"""A function of a job's settings and of its command's return value; returns the rows of the sweep's table."""


class Task(NamedTuple):
    """What a command does; each module `heed.cli.<name>` has one, called `task`.

    Args:
        run: the function to call with the settings.
        schema: the dataclass of the settings.
        results: a function that returns the results of a job; a sweep then ends with a table of them. If it yields
            several and then fails, the table has the last one.
    """

    run: Callable[[Any], object]
    schema: type
    results: Results | None = None


@dataclass(frozen=True)
class Command:
    """A command: it composes settings from configs/<name>.yaml, and then imports and runs its task.

    Importing takes seconds, and nobody wants to wait for it to read that a key is misspelt, so composing comes first.

    Args:
        name: the name without `heed-`.
        resumes: whether the same command resumes a stopped run; the message after Ctrl-C mentions it.
        shorthands: words that can be typed instead of a setting, such as `page` for `to=page`.
    """

    name: str
    resumes: bool = False
    shorthands: Mapping[str, str] = field(default_factory=dict)

    def __call__(self) -> NoReturn:
        """Run with the arguments of this process, then exit with the exit code."""
        # Python's own format adds a file name and a code line of some library, which are of no use to a user
        warnings.formatwarning = lambda message, *_: f"heed-{self.name}: {message}\n"
        threading.excepthook = print_no_disk_faults
        arguments = [self.shorthands.get(word, word) for word in sys.argv[1:]]
        sys.exit(exit_code(self.name, lambda: self._dispatch(arguments), self.resumes))

    def _dispatch(self, arguments: Sequence[str]) -> int:
        check_output()
        check_folder()
        if any(flag in arguments for flag in OTHERS):
            answer(self.name)
            return 0
        options = read_flags(arguments)
        options.overrides = [parsed(line, self.name) for line in options.overrides]
        refuse_renamed(self.name, options.overrides)
        if options.multirun and options.cfg:
            raise UserError("--cfg prints one config, and --multirun runs several; leave one of them out")
        folders = user_folders(options.config_dir)
        return self._sweep(options, folders) if options.multirun else self._once(options, folders)

    def _once(self, options: argparse.Namespace, folders: Sequence[Path]) -> int:
        cfg = compose(self.name, options.overrides, folders)
        if options.cfg:
            print(show(cfg, options.package, options.resolve), end="")
            return 0
        task = _task(self.name)
        log_to_stderr()
        with _signals():
            task.run(typed(cfg, task.schema, options.overrides))
        return 0

    def _sweep(self, options: argparse.Namespace, folders: Sequence[Path]) -> int:
        """Let Hydra run every job of a `--multirun`; return their highest exit code."""
        given: list[Override] = options.overrides
        refuse_hydra_settings(self.name, given, folders)
        results = _task(self.name).results
        with _signals():
            jobs = run_jobs(self.name, given, folders, self._job)
            if jobs and results and process_rank() == 0:
                from heed.cli.sweep_table import print_table  # noqa: PLC0415 - it imports torch

                print_table(jobs)
        return max((job.ended.code for job in jobs), default=0)

    def _job(self, cfg: DictConfig) -> None:
        """Run one job of a sweep, possibly in a process of its own (the launcher decides)."""
        print_what_fits()
        task, results = _task(self.name), list[Result]()

        def run() -> int:
            settings: Any = typed(cfg, task.schema, [parsed(line) for line in HydraConfig.get().overrides.task])
            made = task.run(settings)
            if task.results:
                results.extend(task.results(settings, made))
            return 0

        outcome = ended(self.name, run)
        write_ended(replace(outcome, result=results[-1]) if results else outcome)


def _task(name: str) -> Task:
    with needs("train"):
        return cast(Task, import_module(f"heed.cli.{name}").task)


def _signals() -> AbstractContextManager[None]:
    """Ctrl-C and SIGTERM as exceptions, while a task runs.

    A second process may be waiting for the first one inside a library, so SIGTERM must end it at once.
    """
    return as_exceptions(sigterm=process_rank() == 0)


def log_to_stderr() -> None:
    """Write the library's warnings and notes as plain lines to stderr; results go to stdout."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, force=True)
    logging.getLogger().handlers[0].setFormatter(HarmlessLines("%(message)s"))
