"""What a sweep may not set: Hydra would write files, change the folder, or call what a config names."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.types import Glob, Override
from omegaconf import OmegaConf

from heed.cli.keys import FAULTS
from heed.cli.mistakes import choices, explained
from heed.cli.options import composed, option_names
from heed.cli.overrides import parsed
from heed.errors import UserError


def refuse_hydra_settings(name: str, overrides: Sequence[Override], folders: Sequence[Path]) -> None:
    """UserError if Hydra would write files, change folder or environment, or call what a config names, in any job.

    Its records of a sweep would replace a multirun.yaml, and its logging and its callbacks build what they are told to.
    """
    single = [override for override in overrides if not override.is_sweep_override()]
    swept = [override for override in overrides if override.is_sweep_override()]
    groups = option_names(folders)
    jobs = [
        [parsed(f"{one.key_or_group}={option}")]
        for one in swept
        for option in _swept_options(one, groups.get(one.key_or_group))
    ]
    try:
        usual = _hydra_settings(name, [], folders)
        each_job = [_hydra_settings(name, [*single, *job], folders) for job in ([], *jobs)]
    except FAULTS as error:
        raise UserError(explained(error, name, overrides, folders)) from error
    refused = [key for one in each_job for key in one if one[key] != usual[key] and key not in PLUGGED]
    refused += [override.key_or_group[6:] for override in swept if _is_hydra_key(override)]
    refused += [f"{key}._target_" for one in each_job for key in PLUGGED if not _is_plugin(one[key])]
    if refused:
        reason = "heed keeps Hydra's record of a sweep to itself, and a config calls nothing"
        raise UserError(f"hydra.{refused[0]}: {reason}; leave it out")


def _is_hydra_key(override: Override) -> bool:
    """Whether it is a setting of Hydra itself."""
    return override.key_or_group.startswith(("hydra.", "hydra/"))


SETTINGS_OF_HYDRA = ("run", "sweep", "output_subdir", "callbacks", "job_logging", "hydra_logging")
SETTINGS_OF_JOBS = ("chdir", "env_set", "env_copy")

PLUGGED = ("launcher", "sweeper")
PLUGINS = ("hydra_plugins.", "hydra._internal.core_plugins.")
"""Where the launchers and sweepers are that are installed."""


def _hydra_settings(name: str, overrides: Sequence[Override], folders: Sequence[Path]) -> dict[str, Any]:
    """What no sweep may change, by its key, and the launcher and the sweeper."""
    hydra = OmegaConf.to_container(composed(name, overrides, folders, with_hydra=True).hydra)
    settings = cast(dict[str, Any], hydra)
    return {
        **{key: settings.get(key) for key in SETTINGS_OF_HYDRA},
        **{f"job.{key}": settings["job"].get(key) for key in SETTINGS_OF_JOBS},
        **{key: settings[key] for key in PLUGGED},
    }


def _is_plugin(settings: Mapping[str, Any]) -> bool:
    return str(settings.get("_target_", "")).startswith(PLUGINS)


def _swept_options(override: Override, options: Sequence[str] | None) -> Iterator[Any]:
    """Which options of a group a sweep tries; none for a setting."""
    if options is not None:
        yield from options if isinstance(override.value(), Glob) else choices(override)
