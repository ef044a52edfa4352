"""What the commands share: from a command line to checked settings, alone or for each job of a sweep."""

import argparse
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn, TypeVar

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from heed.cli.arguments import OTHERS, read_arguments
from heed.cli.config import compose, plain
from heed.cli.entry import HELP, VERSION, start
from heed.cli.hydra_settings import refuse_hydra_settings
from heed.cli.mistakes import FAULTS, explained, refuse_renamed
from heed.cli.options import CONFIGS, search_path, user_folders
from heed.cli.outcome import ended, exit_code, print_no_disk_faults
from heed.cli.overrides import literal, parsed, typed_texts
from heed.cli.streams import check_folder, check_output, fill_closed
from heed.cli.sweep import FOLDER, KEYS, Result, print_table, read_jobs, write_ended
from heed.cli.terminal import HarmlessLines, print_what_fits
from heed.errors import UserError
from heed.settings import as_typed, parse
from heed.signals import as_exceptions
from heed.training.processes import process_rank

T = TypeVar("T")

Results = Callable[[Any, Any], Iterable[Result]]
"""From the settings of a job of a sweep and what its command returned to what the sweep's table shows."""


class Command:
    """A command: `run` gets its settings, composed from configs/<name>.yaml and checked against `schema`.

    `shorthands` are flags that stand for a setting. If the same command `resumes` what was stopped, it prints so. If
    the `results` of a job of a sweep are known, the sweep ends with a table; the last of several stands that were given
    before a fault.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[T], object],
        schema: type[T],
        resumes: bool = False,
        results: Results | None = None,
        shorthands: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.run, self.schema, self.resumes, self.results = name, run, schema, resumes, results
        self.shorthands = dict(shorthands or {})

    def __call__(self) -> NoReturn:
        """Run with the arguments of this process and leave with the exit code."""
        fill_closed()
        if any(flag in sys.argv[1:] for flag in (*HELP, *VERSION)):
            start(self.name)
            sys.exit(0)
        print_what_fits()
        # Python's own form names a file of some library and a line of its code, which tells a user nothing.
        warnings.formatwarning = lambda message, *_: f"heed-{self.name}: {message}\n"
        threading.excepthook = print_no_disk_faults
        # the second of several processes may be waiting for the first inside a library: SIGTERM ends it at once
        with as_exceptions(sigterm=process_rank() == 0):
            arguments = [self.shorthands.get(word, word) for word in sys.argv[1:]]
            sys.exit(exit_code(self.name, lambda: self._dispatch(arguments), self.resumes))

    def _dispatch(self, arguments: Sequence[str]) -> int:
        check_output()
        check_folder()
        if any(flag in arguments for flag in OTHERS):
            os.environ["HYDRA_FULL_ERROR"] = "1"
            try:
                hydra.main(config_path=str(CONFIGS), config_name=self.name, version_base="1.3")(print)()
            except FAULTS as error:
                raise UserError(str(error).splitlines()[0]) from error
            return 0
        options = read_arguments(arguments)
        options.overrides = [parsed(line, self.name) for line in options.overrides]
        refuse_renamed(self.name, options.overrides)
        folders = user_folders(options.config_dir)
        return self._sweep(options, folders) if options.multirun else self._once(options, folders)

    def _once(self, options: argparse.Namespace, folders: Sequence[Path]) -> int:
        cfg = compose(self.name, options.overrides, folders)
        if options.cfg:
            print(show(cfg, options.package, options.resolve), end="")
            return 0
        log_to_stderr()
        self.run(self._settings(cfg, options.overrides))
        return 0

    def _sweep(self, options: argparse.Namespace, folders: Sequence[Path]) -> int:
        """Every job of a `--multirun`, by Hydra; the highest exit code of them."""
        given: list[Override] = options.overrides
        refuse_hydra_settings(self.name, given, folders)
        keys = ",".join(override.key_or_group for override in given if override.is_sweep_override())
        with TemporaryDirectory(prefix="heed-sweep-") as folder:
            os.environ |= {FOLDER: folder, KEYS: keys, "HYDRA_FULL_ERROR": "1"}
            sys.argv[1:] = ["--multirun", *search_path(folders), *map(literal, given)]
            try:
                hydra.main(config_path=str(CONFIGS), config_name=self.name, version_base="1.3")(self._job)()
            except FAULTS as error:
                raise UserError(explained(error, self.name, given, folders)) from error
            jobs = read_jobs(Path(folder))
        if jobs and self.results and process_rank() == 0:
            print_table(jobs)
        return max((job.ended.code for job in jobs), default=0)

    def _job(self, cfg: DictConfig) -> None:
        """One job; it runs in a process of its own if the launcher gives it one."""
        print_what_fits()
        results: list[Result] = []

        def run() -> int:
            settings = self._settings(cfg, [parsed(line) for line in HydraConfig.get().overrides.task])
            made = self.run(settings)
            if self.results:
                results.extend(self.results(settings, made))
            return 0

        outcome = ended(self.name, run)
        write_ended(replace(outcome, result=results[-1]) if results else outcome)

    def _settings(self, cfg: DictConfig, overrides: Sequence[Override]) -> Any:
        values, texts = plain(cfg), typed_texts(overrides)
        corpus = values.get("corpus")
        if isinstance(corpus, dict) and isinstance(corpus.get("reader"), str):
            from heed.data.readers import reader  # noqa: PLC0415 - translating does without what reads corpora

            values["corpus"] = as_typed(corpus, reader(corpus["reader"]), texts, "corpus.")
        return parse(self.schema, as_typed(values, self.schema, texts))


def show(cfg: DictConfig, package: str | None, resolve: bool) -> str:
    """The config, or a part of it, as YAML. UserError for a part that is not there."""
    part = OmegaConf.select(cfg, package) if package else cfg
    if part is None:
        raise UserError(f"--package {package}: there is no such part of the config (--cfg job shows all of it)")
    return OmegaConf.to_yaml(part, resolve=resolve) if OmegaConf.is_config(part) else f"{part}\n"


def log_to_stderr() -> None:
    """Warnings and notes of the library as plain lines, apart from what is printed as a result."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, force=True)
    logging.getLogger().handlers[0].setFormatter(HarmlessLines("%(message)s"))
