"""The keys of a command, and the one that a misspelt key may mean."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from heed.cli.options import composed, keys_of_options
from heed.settings import dotted, most_like

FAULTS = (HydraException, OmegaConfBaseException, ValueError)
"""What Hydra raises for a config that cannot be composed."""


class Keys(NamedTuple):
    """The keys of a command, by their whole names."""

    known: set[str]
    """With the options that are chosen; groups too."""
    choices: Mapping[str, str]
    """The option that is chosen of each group."""
    elsewhere: Mapping[str, str]
    """Keys that another option has: that option, such as `search=beam`."""


def known_keys(name: str, overrides: Sequence[Override], folders: Sequence[Path]) -> Keys | None:
    """The keys of the command with the options that were chosen; None if these do not compose."""
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
    """What may be meant by a key that there is not: one like it, or what the group that it names has."""
    above = _above(key, keys.known)
    every = [one for one in (*keys.known, *keys.elsewhere) if one.startswith(above)]
    near = most_like(key.removeprefix(above), [one.removeprefix(above) for one in every])
    if near is not None:
        option = keys.elsewhere.get(f"{above}{near}")
        return f"; did you mean {above}{near}{f', a setting of {option}' if option else ''}?"
    same = sorted(one for one in keys.known if last_part(one) == last_part(key))
    return f"; did you mean {same[0]}?" if same else _listed(above, keys)


def _above(key: str, known: set[str]) -> str:
    """How a key begins as others do that there are, such as `search.`; nothing if none begins so."""
    parts = key.split(".")
    beginnings = (".".join(parts[:count]) + "." for count in range(len(parts) - 1, 0, -1))
    return next((each for each in beginnings if any(one.startswith(each) for one in known)), "")


def _listed(above: str, keys: Keys) -> str:
    names = sorted(one.removeprefix(above) for one in keys.known if one.startswith(above))
    group = above.removesuffix(".")
    named = f"{group}={keys.choices[group]}" if group in keys.choices else group
    return f"; {named} has {', '.join(name for name in names if '.' not in name)}" if above else ""


def last_part(key: str) -> str:
    """`hid_dim` of `model.hid_dim`."""
    return key.rpartition(".")[2]
