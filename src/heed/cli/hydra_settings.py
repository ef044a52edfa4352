"""Hydra settings that a sweep may not change, because Hydra would write files, change folder or call any function."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.types import Glob, Override
from omegaconf import OmegaConf

from heed.cli.keys import FAULTS
from heed.cli.mistakes import choices, explained
from heed.cli.options import composed, option_names
from heed.cli.overrides import literal, parsed
from heed.errors import UserError


def refuse_hydra_settings(name: str, overrides: Sequence[Override], folders: Sequence[Path]) -> None:
    """Raise UserError if Hydra would write files, change folder or environment, or call a configured object in any job.

    Also if the first job cannot be composed, for example because a key is misspelt.

    Its records of a sweep would overwrite a multirun.yaml; its logging and callbacks can create any Python object.
    """
    single = [override for override in overrides if not override.is_sweep_override()]
    swept = [override for override in overrides if override.is_sweep_override()]
    groups = option_names(folders)
    jobs = [
        [parsed(f"{override.key_or_group}={option}")]
        for override in swept
        for option in _swept_options(override, groups.get(override.key_or_group))
    ]
    try:
        usual = _hydra_settings(name, [], folders)
        settings = [_hydra_settings(name, [*single, *job], folders) for job in ([], *jobs, [*_first_job(swept)])]
    except FAULTS as error:
        raise UserError(explained(error, name, overrides, folders)) from error
    refused = [key for job in settings for key in job if job[key] != usual[key] and key not in PLUGGED]
    refused += [override.key_or_group[6:] for override in swept if _is_hydra_key(override)]
    refused += [f"{key}._target_" for job in settings for key in PLUGGED if not _is_plugin(job[key])]
    if refused:
        reason = "heed does not let Hydra write its own files, or call what a config names"
        raise UserError(f"hydra.{refused[0]}: {reason}; leave it out")


def _is_hydra_key(override: Override) -> bool:
    """Whether the override changes a setting of Hydra itself."""
    return override.key_or_group.startswith(("hydra.", "hydra/"))


SETTINGS_OF_HYDRA = ("run", "sweep", "output_subdir", "callbacks", "job_logging", "hydra_logging")
SETTINGS_OF_JOBS = ("chdir", "env_set", "env_copy")

PLUGGED = ("launcher", "sweeper")
PLUGINS = ("hydra_plugins.", "hydra._internal.core_plugins.")
"""The packages of installed launchers and sweepers."""


def _hydra_settings(name: str, overrides: Sequence[Override], folders: Sequence[Path]) -> dict[str, Any]:
    """The settings that no sweep may change, by key, and those of the launcher and the sweeper."""
    hydra = OmegaConf.to_container(composed(name, overrides, folders, with_hydra=True).hydra)
    settings = cast(dict[str, Any], hydra)
    return {
        **{key: settings.get(key) for key in SETTINGS_OF_HYDRA},
        **{f"job.{key}": settings["job"].get(key) for key in SETTINGS_OF_JOBS},
        **{key: settings[key] for key in PLUGGED},
    }


def _first_job(swept: Sequence[Override]) -> Iterator[Override]:
    """The first value of each override that lists its values; patterns and intervals list none."""
    for override in swept:
        if override.is_choice_sweep() or override.is_range_sweep():
            for value in islice(choices(override), 1):
                yield parsed(f"{literal(override).partition('=')[0]}={value}")


def _is_plugin(settings: Mapping[str, Any]) -> bool:
    return str(settings.get("_target_", "")).startswith(PLUGINS)


def _swept_options(override: Override, options: Sequence[str] | None) -> Iterator[Any]:
    """The options of a group that a sweep tries; empty for a setting."""
    if options is not None:
        yield from options if isinstance(override.value(), Glob) else choices(override)
