"""What Hydra refuses of a command line, as one line that says what to type instead."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from heed.cli.options import composed, keys_of_options, option_names
from heed.cli.overrides import literal
from heed.errors import UserError
from heed.settings import dotted, most_like, nearest, shown

FAULTS = (HydraException, OmegaConfBaseException, ValueError, YAMLError)

RENAMED = {
    "train": {
        "architecture": "model.hid_dim=… and the like",
        "callbacks.board.every_steps": "curve_steps",
        "callbacks.checkpoints.every_steps": "checkpoint_steps",
        "callbacks.early_stop": "early_stop",
        "callbacks.early_stop.patience": "early_stop.patience",
        "callbacks.early_stop.min_delta": "early_stop.min_delta",
        "callbacks.profile": "profile",
        "learning_rate": "schedule",
        "learning_rate.final": "schedule.final",
        "learning_rate.steps": "schedule.steps",
        "learning_rate.warmup_steps": "schedule.warmup_steps",
        "model.att_dim": "model.attention.att_dim",
        "model.heads": "model.attention.heads",
        "model.positions": "model.attention.positions",
        "model.score": "model.attention.score",
        "pictures": "heatmaps",
        "trainer": "device=cuda, or distributed=true",
        "trainer.accelerator": "device",
        "trainer.distributed": "distributed",
        "trainer.matmul_precision": "matmul_precision",
        "trainer.precision": "precision",
    },
    "evaluate": {"sentences": "batch_size"},
    "translate": {
        "alignment": "show_attention",
        "attention": "show_attention",
        "n_best": "search.n_best",
        "sentences": "batch_size",
    },
    "align": {"backward": "reverse", "sentences": "batch_size"},
}
"""For each command the keys of the first release, and what they are called now."""


class Keys(NamedTuple):
    """The keys of a command, by their whole names."""

    known: set[str]
    """With the options that are chosen; groups too."""
    choices: Mapping[str, str]
    """The option that is chosen of each group."""
    elsewhere: Mapping[str, str]
    """Keys that another option has: that option, such as `search=beam`."""


def refuse_renamed(name: str, overrides: Sequence[Override]) -> None:
    """UserError, with the new name, for a key that was called otherwise in an earlier release."""
    for override in overrides:
        if fault := _renamed(name, override):
            raise UserError(fault)


def explained(
    error: Exception, name: str, overrides: Sequence[Override], folders: Sequence[Path], otherwise: str | None = None
) -> str:
    """One line for what Hydra refused: the first override at fault, with the nearest that is right.

    If none is found, `otherwise` is what to say instead of Hydra's own words.
    """
    groups = option_names(folders)
    found = [_renamed(name, override) or _option_fault(override, groups) for override in overrides]
    if not any(found):
        keys = known_keys(name, overrides, folders)
        found = [_key_fault(override, keys) for override in overrides] if keys else []
    return next(filter(None, found), otherwise or _own_words(error))


def _own_words(error: Exception) -> str:
    """What the library says, in one line, with the place in the file if that is no YAML, or has a tag of another."""
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    if not mark:
        return str(error).splitlines()[0]
    return f"{mark.name} line {mark.line + 1} is no YAML with plain values: {cast(MarkedYAMLError, error).problem}"


def without_multirun(overrides: Sequence[Override]) -> str | None:
    """What to type instead of several values, if an override has some."""
    sweep = next((literal(override) for override in overrides if override.is_sweep_override()), None)
    if sweep is None:
        return None
    key, _, value = sweep.partition("=")
    return f"{sweep}: several values; add --multirun to try each, or type \"{key}='{value}'\" to mean one"


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
    same = sorted(one for one in keys.known if _last(one) == _last(key))
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


def _renamed(name: str, override: Override) -> str | None:
    now = RENAMED.get(name, {}).get(override.key_or_group)
    return f"{override.input_line}: {override.key_or_group} is called {now} now" if now else None


def _option_fault(override: Override, groups: Mapping[str, list[str]]) -> str | None:
    """What is wrong with an override that picks an option that its group does not have."""
    options = groups.get(override.key_or_group)
    if options is None or override.is_delete() or isinstance(override.value(), dict):
        return None
    for choice in choices(override):
        if choice is not None and choice not in options:
            expected = f"{override.key_or_group} is one of {', '.join(options)}{nearest(shown(choice), options)}"
            return f"{override.input_line}: {expected}"
    return None


def choices(override: Override) -> Iterator[Any]:
    """The values that an override gives; none for a pattern of options, such as `glob(*)`."""
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
        option, value = keys.elsewhere[whole], literal(override).partition("=")[2]
        return f"{override.input_line}: {whole} is a setting of {option}; give {option} {whole}={value}"
    return f"{override.input_line}: there is no key {key}{suggestion(key, keys)} (--cfg job shows them all)"


def _elsewhere(key: str, elsewhere: Mapping[str, str]) -> str | None:
    """The whole key of a setting of another option; the last part of it is enough."""
    return key if key in elsewhere else next((one for one in elsewhere if _last(one) == _last(key)), None)


def _last(key: str) -> str:
    return key.rpartition(".")[2]
