"""The options of the config groups, heed's own and the user's, and how Hydra composes them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from heed.cli.overrides import literal, quoted
from heed.errors import UserError
from heed.extensions import config_folders
from heed.settings import dotted
from heed.shipped import shipped

CONFIGS = shipped("configs")

PACKAGE = re.compile(r"# @package ([\w.]+)")
"""The first line of an option whose settings are not placed below the name of its group."""

RECIPES = ("experiment", "debug")
"""Groups whose options are settings of other groups."""


def composed(
    name: str, overrides: Sequence[Override] = (), folders: Sequence[Path] = (), with_hydra: bool = False
) -> DictConfig:
    """The config of the command `name`; errors are Hydra's own."""
    given = [*search_path(folders), *map(literal, overrides)]
    with hydra.initialize_config_dir(config_dir=str(CONFIGS.resolve()), version_base="1.3", job_name=name):
        return hydra.compose(name, given, return_hydra_config=with_hydra)


def user_folders(given: str | None) -> list[Path]:
    """The folders with more options: `--config-dir`, or `./configs` if that is not heed's own; then the extensions'.

    Raises:
        UserError: `--config-dir` is not a folder.
    """
    if given is not None:
        folder = Path(given).expanduser()
        if not folder.is_dir():
            raise UserError(
                f"--config-dir {given}: there is no such folder; give one that contains groups such as experiment/"
            )
        return [folder.resolve(), *config_folders()]
    here = Path("configs").resolve()
    own = [here] if here.is_dir() and here != CONFIGS.resolve() else []
    return [*own, *config_folders()]


def search_path(folders: Sequence[Path]) -> list[str]:
    """The override that makes Hydra search these folders too."""
    return [f"hydra.searchpath=[{','.join(quoted(f'file://{folder}') for folder in folders)}]"] if folders else []


def option_names(folders: Sequence[Path] = ()) -> dict[str, list[str]]:
    """The options of every group, from heed and from the user's `folders`."""
    groups: dict[str, set[str]] = {}
    for file in _files(folders):
        groups.setdefault(file.parent.name, set()).add(file.stem)
    return {group: sorted(options) for group, options in groups.items() if group != "hydra"}


def keys_of_options(known: set[str], folders: Sequence[Path] = ()) -> dict[str, list[str]]:
    """For each key that is not `known`: the options of a known group that have it, such as `search=beam`."""
    keys: dict[str, list[str]] = {}
    for file in _files(folders):
        group = file.parent.name
        if group not in known or group in RECIPES:
            continue
        text = file.read_text(encoding="utf-8")
        package = PACKAGE.match(text)
        for name in dotted(_settings(text)):
            options = keys.setdefault(f"{package[1] if package else group}.{name}", [])
            options.append(f"{group}={file.stem}")
    return {key: sorted(set(options)) for key, options in keys.items() if key not in known}


def _settings(text: str) -> dict[str, Any]:
    """The settings of an option; empty if its file has none, because Hydra reports that when the option is chosen."""
    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return settings if isinstance(settings, dict) else {}


def _files(folders: Sequence[Path]) -> list[Path]:
    return [file for folder in (CONFIGS, *folders) for file in sorted(folder.glob("*/*.yaml"))]
