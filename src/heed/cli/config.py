"""Compose a config from overrides, and convert it to plain values."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from heed.cli.keys import FAULTS
from heed.cli.mistakes import explained, without_multirun
from heed.cli.options import composed
from heed.cli.overrides import parsed, typed_texts
from heed.errors import UserError
from heed.settings import MISSING, as_typed, dotted, parse, without_value

T = TypeVar("T")


def compose(name: str, overrides: Sequence[str | Override] = (), folders: Sequence[Path] = ()) -> DictConfig:
    """The config of the command `name` with these overrides, not yet checked.

    `folders` contain more options of the groups, such as a user's own recipes.

    Raises:
        UserError: the config cannot be composed.
    """
    given = [override if isinstance(override, Override) else parsed(override, name) for override in overrides]
    try:
        return composed(name, given, folders)
    except FAULTS as error:
        raise UserError(explained(error, name, given, folders, without_multirun(given))) from error


def plain(cfg: DictConfig) -> dict[str, Any]:
    """A composed config as nested dicts, with interpolations and `~` resolved.

    Raises:
        UserError: a value is missing.
    """
    try:
        return cast(dict[str, Any], at_home(OmegaConf.to_container(cfg, resolve=True)))
    except OmegaConfBaseException as error:
        # if the value refers to a key that has no value, name that key
        values = dotted(cast(dict[str, Any], OmegaConf.to_container(cfg)))
        missing = [without_value(key) for key, value in values.items() if value == MISSING]
        raise UserError("; ".join(missing) or f"{error.full_key}: {str(error).splitlines()[0]}") from error


def typed(cfg: DictConfig, schema: type[T], overrides: Sequence[Override]) -> T:
    """A composed config as the settings of a command; text stays as it was typed in `overrides`.

    Raise UserError with every fault in one line.
    """
    values, texts = plain(cfg), typed_texts(overrides)
    corpus = values.get("corpus")
    if isinstance(corpus, dict) and isinstance(corpus.get("reader"), str):
        from heed.data.readers import reader  # noqa: PLC0415 - translating does not need the corpus readers

        values["corpus"] = as_typed(corpus, reader(corpus["reader"]), texts, "corpus.")
    return parse(schema, as_typed(values, schema, texts))


def show(cfg: DictConfig, package: str | None, resolve: bool) -> str:
    """The config, or a part of it, as YAML. Raise UserError if there is no such part."""
    part = OmegaConf.select(cfg, package) if package else cfg
    if part is None:
        raise UserError(f"--package {package}: the config has no such part (--cfg job shows all of it)")
    return OmegaConf.to_yaml(part, resolve=resolve) if OmegaConf.is_config(part) else f"{part}\n"


def at_home(value: Any) -> Any:
    """The values with `~/` replaced by the user's home folder, because a shell does not expand `~` after `key=`."""
    if isinstance(value, dict):
        return {key: at_home(below) for key, below in value.items()}
    if isinstance(value, list):
        return [at_home(item) for item in value]
    return str(Path(value).expanduser()) if isinstance(value, str) and value.startswith("~/") else value
