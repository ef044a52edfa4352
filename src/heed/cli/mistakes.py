"""Turn Hydra's errors about a command line into one line that says what to type instead."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.types import Glob, Override
from yaml import MarkedYAMLError

from heed.cli.keys import Keys, any_of, known_keys, last_part, suggestion
from heed.cli.options import option_names
from heed.cli.overrides import literal
from heed.cli.renamed import renamed
from heed.settings import nearest, shown


def explained(
    error: Exception, name: str, overrides: Sequence[Override], folders: Sequence[Path], otherwise: str | None = None
) -> str:
    """One line for an error of Hydra: the first wrong override, with the most similar correct one.

    If no override is found to be wrong, `otherwise` is returned, or Hydra's own message.
    """
    groups = option_names(folders)
    faults = [renamed(name, override) or _option_fault(override, groups) for override in overrides]
    if not any(faults):
        keys = known_keys(name, overrides, folders)
        faults = [_key_fault(override, keys) for override in overrides] if keys else []
    return next(filter(None, faults), otherwise or _own_words(error))


def _own_words(error: Exception) -> str:
    """The library's message as one line; for a file that is not plain YAML, with the place in the file."""
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    if not mark:
        return str(error).splitlines()[0]
    return f"{mark.name} line {mark.line + 1} is not YAML with plain values: {cast(MarkedYAMLError, error).problem}"


def without_multirun(overrides: Sequence[Override]) -> str | None:
    """A message that says what to type, if an override has several values; otherwise None."""
    sweep = next((literal(override) for override in overrides if override.is_sweep_override()), None)
    if sweep is None:
        return None
    key, _, value = sweep.partition("=")
    return f"{sweep}: several values; add --multirun to run each, or type \"{key}='{value}'\" if it is one value"


def _option_fault(override: Override, groups: Mapping[str, list[str]]) -> str | None:
    """The message for an override that chooses an option that its group does not have."""
    options = groups.get(override.key_or_group)
    if options is None or override.is_delete() or isinstance(override.value(), dict):
        return None
    for choice in choices(override):
        if choice is not None and choice not in options:
            expected = f"{override.key_or_group} is one of {', '.join(options)}{nearest(shown(choice), options)}"
            return f"{override.input_line}: {expected}"
    return None


def choices(override: Override) -> Iterator[Any]:
    """The values of an override; empty for a pattern of options, such as `glob(*)`."""
    if isinstance(override.value(), Glob):
        return
    if override.is_sweep_override():
        yield from override.sweep_string_iterator()
    else:
        yield override.value()


def _key_fault(override: Override, keys: Keys) -> str | None:
    key = override.key_or_group
    if key in keys.known or key.startswith("hydra") or override.is_add() or override.is_force_add():
        return None
    if whole := _elsewhere(key, keys.elsewhere):
        options, value = keys.elsewhere[whole], literal(override).partition("=")[2]
        typed = "one of these too" if len(options) > 1 else f"{options[0]} {whole}={value}"
        return f"{override.input_line}: {whole} is a setting of {any_of(options)}; give {typed}"
    return f"{override.input_line}: there is no key {key}{suggestion(key, keys)} (--cfg job shows them all)"


def _elsewhere(key: str, elsewhere: Mapping[str, Sequence[str]]) -> str | None:
    """The full key of a setting of another option; `key` may be only its last part."""
    return key if key in elsewhere else next((name for name in elsewhere if last_part(name) == last_part(key)), None)
