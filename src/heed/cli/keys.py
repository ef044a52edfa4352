"""The keys of a command, and suggestions for a misspelt key."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from heed.cli.options import composed, keys_of_options
from heed.settings import dotted, most_like

FAULTS = (HydraException, OmegaConfBaseException, ValueError, YAMLError)
"""The exceptions of Hydra for a config that cannot be composed."""


class Keys(NamedTuple):
    """The keys of a command, by their full names."""

    known: set[str]
    """All keys of the chosen options, and the groups."""
    choices: Mapping[str, str]
    """The chosen option of each group."""
    elsewhere: Mapping[str, Sequence[str]]
    """The options, such as `search=beam`, of each key that the chosen options do not have."""


def known_keys(name: str, overrides: Sequence[Override], folders: Sequence[Path]) -> Keys | None:
    """The keys of the command with the chosen options; None if Hydra cannot compose them."""
    try:
        choices: Mapping[str, Any] = composed(name, [], folders, with_hydra=True).hydra.runtime.choices
        chosen = [override for override in overrides if override.key_or_group in choices]
        cfg = composed(name, chosen, folders)
    except FAULTS:
        return None
    known = {*dotted(cast(dict[str, Any], OmegaConf.to_container(cfg))), *choices}
    options = {**choices, **{override.key_or_group: override.value() for override in chosen}}
    return Keys(known, options, keys_of_options(known, folders))


def suggestion(key: str, keys: Keys) -> str:
    """A suggestion for a key that does not exist: a similar key, or the keys of its group."""
    above = _above(key, keys.known)
    every = [name for name in (*keys.known, *keys.elsewhere) if name.startswith(above)]
    near = most_like(key.removeprefix(above), [name.removeprefix(above) for name in every])
    if near is not None:
        options = keys.elsewhere.get(f"{above}{near}")
        return f"; did you mean {above}{near}{f', a setting of {any_of(options)}' if options else ''}?"
    same = sorted(name for name in keys.known if last_part(name) == last_part(key))
    return f"; did you mean {same[0]}?" if same else _listed(above, keys)


def _above(key: str, known: set[str]) -> str:
    """The longest beginning of the key with which existing keys begin, such as `search.`; empty if there is none."""
    parts = key.split(".")
    beginnings = (".".join(parts[:count]) + "." for count in range(len(parts) - 1, 0, -1))
    return next((beginning for beginning in beginnings if any(name.startswith(beginning) for name in known)), "")


def _listed(above: str, keys: Keys) -> str:
    names = sorted(name.removeprefix(above) for name in keys.known if name.startswith(above))
    group = above.removesuffix(".")
    named = f"{group}={keys.choices[group]}" if group in keys.choices else group
    return f"; {named} has {', '.join(name for name in names if '.' not in name)}" if above else ""


def any_of(options: Sequence[str]) -> str:
    """`a, b or c`."""
    *first, last = options
    return f"{', '.join(first)} or {last}" if first else last


def last_part(key: str) -> str:
    """`hid_dim` of `model.hid_dim`."""
    return key.rpartition(".")[2]
