"""Run Hydra for the jobs of a sweep, and for the flags that Hydra itself handles."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import hydra
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from heed.cli.keys import FAULTS
from heed.cli.mistakes import explained
from heed.cli.options import CONFIGS, search_path
from heed.cli.overrides import literal
from heed.cli.sweep import FOLDER, KEYS, Job, read_jobs
from heed.errors import UserError


def answer(name: str) -> None:
    """Let Hydra handle the flags of this process, such as `--info`. Raise UserError if it reports an error."""
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        hydra.main(config_path=str(CONFIGS), config_name=name, version_base="1.3")(print)()
    except FAULTS as error:
        raise UserError(str(error).splitlines()[0]) from error


def run_jobs(
    name: str, overrides: Sequence[Override], folders: Sequence[Path], job: Callable[[DictConfig], None]
) -> list[Job]:
    """Call `job` for every combination of the given values; return all jobs with their results.

    Raises:
        UserError: the config cannot be composed.
    """
    keys = ",".join(override.key_or_group for override in overrides if override.is_sweep_override())
    with TemporaryDirectory(prefix="heed-sweep-") as folder:
        os.environ |= {FOLDER: folder, KEYS: keys, "HYDRA_FULL_ERROR": "1"}
        sys.argv[1:] = ["--multirun", *search_path(folders), *map(literal, overrides)]
        try:
            hydra.main(config_path=str(CONFIGS), config_name=name, version_base="1.3")(job)()
        except FAULTS as error:
            raise UserError(explained(error, name, overrides, folders)) from error
        return read_jobs(Path(folder))
