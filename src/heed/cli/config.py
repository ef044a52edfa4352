"""From overrides to a composed config, by Hydra; and from what Hydra refuses to one line that says what to type."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import hydra
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from heed.errors import UserError
from heed.extensions import config_folders
from heed.settings import MISSING, dotted, nearest, shown, without_value
from heed.shipped import shipped

CONFIGS = shipped("configs")

FAULTS = (HydraException, OmegaConfBaseException, ValueError)

PLAIN = re.compile(r"[+~]{0,2}[\w./@:]+=")
"""How an override begins whose value may be anything."""

PACKAGE = re.compile(r"# @package ([\w.]+)")
"""The first line of an option that lies elsewhere in the config than below the name of its group."""

NAMED = {
    "train": "corpus=files corpus.train={0}",
    "evaluate": "model={0}",
    "translate": "input={0}",
    "align": "source={0} target=… output=…",
}
"""For each command what a file that is given without a key is likely to be."""

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


def compose(name: str, overrides: Sequence[str | Override] = (), folders: Sequence[Path] = ()) -> DictConfig:
    """The config of the command `name` with these overrides, not yet checked.

    `folders` hold further options of the groups, such as a user's own recipes. UserError for what cannot be composed.
    """
    given = [override if isinstance(override, Override) else parsed(override, name) for override in overrides]
    try:
        return _compose(name, [literal(override) for override in given], folders)
    except FAULTS as error:
        raise UserError(explained(error, name, given, folders, _without_multirun(given))) from error


def plain(cfg: DictConfig) -> dict[str, Any]:
    """A composed config as nested dicts, every interpolation resolved, and paths below `~` too.

    UserError for a value that is missing.
    """
    try:
        return cast(dict[str, Any], at_home(OmegaConf.to_container(cfg, resolve=True)))
    except OmegaConfBaseException as error:
        # another key's value may be made of one that is missing: then that is the one to give
        values = dotted(cast(dict[str, Any], OmegaConf.to_container(cfg)))
        missing = [without_value(key) for key, value in values.items() if value == MISSING]
        raise UserError("; ".join(missing) or f"{error.full_key}: {str(error).splitlines()[0]}") from error


def at_home(value: Any) -> Any:
    """Values with the user's home in the place of `~/`, which a shell leaves as it is behind `key=`."""
    if isinstance(value, dict):
        return {key: at_home(below) for key, below in value.items()}
    if isinstance(value, list):
        return [at_home(each) for each in value]
    return str(Path(value).expanduser()) if isinstance(value, str) and value.startswith("~/") else value


def user_folders(given: str | None) -> list[Path]:
    """Where further options lie: `--config-dir`, or `./configs` if that is not heed's own; then those of extensions.

    UserError if `--config-dir` is no folder.
    """
    if given is not None:
        folder = Path(given).expanduser()
        if not folder.is_dir():
            raise UserError(
                f"--config-dir {given}: there is no such folder; give one that holds groups such as experiment/"
            )
        return [folder.resolve(), *config_folders()]
    here = Path("configs").resolve()
    own = [here] if here.is_dir() and here != CONFIGS.resolve() else []
    return [*own, *config_folders()]


def search_path(folders: Sequence[Path]) -> list[str]:
    """The override that lets Hydra look into these folders too."""
    return [f"hydra.searchpath=[{','.join(quoted(f'file://{folder}') for folder in folders)}]"] if folders else []


def parsed(line: str, command: str = "") -> Override:
    """One override; a value that Hydra cannot read is taken as it was typed, and a list of such values as a list.

    UserError for what is no override.
    """
    try:
        return OverridesParser.create().parse_override(line)
    except HydraException:
        pass
    key = PLAIN.match(line)
    if not key:
        raise UserError(f"{line}: not a setting; write {_key_for(line, command)} (--help shows the keys)")
    value = line[key.end() :]
    listed = value[:1] == "[" and value[-1:] == "]"
    as_text = f"[{','.join(quoted(one.strip()) for one in value[1:-1].split(','))}]" if listed else quoted(value)
    try:
        return OverridesParser.create().parse_override(f"{key[0]}{as_text}")
    except HydraException as error:
        raise UserError(f"{line}: not a setting; write key=value, such as seed=2 (--help shows the keys)") from error


def _key_for(word: str, command: str) -> str:
    """What to type instead of a word without a key."""
    if Path(word, "config.json").is_file():
        return f"model={word}"
    if command in NAMED and (os.path.lexists(word) or "/" in word or "." in word):
        return NAMED[command].format(word)
    return "key=value, such as seed=2"


def literal(override: Override) -> str:
    """The override in Hydra's grammar."""
    return cast(str, override.input_line)


def quoted(value: str) -> str:
    """A text in Hydra's quotes, which reads it back as it is: also what looks like an interpolation."""
    return QuotedString(value.replace("${", "\\${"), Quote.single).with_quotes()


def typed_texts(overrides: Sequence[Override]) -> dict[str, str]:
    """For each plain `key=value` the text of its value as it was typed, such as "2024" and not 2024."""
    texts = {}
    for override in overrides:
        value = override.value() if not override.is_sweep_override() and not override.is_delete() else None
        if value is not None and not isinstance(value, dict | list):
            texts[override.key_or_group] = literal(override).partition("=")[2]
    return texts


def _compose(name: str, overrides: Sequence[str], folders: Sequence[Path], with_hydra: bool = False) -> DictConfig:
    with hydra.initialize_config_dir(config_dir=str(CONFIGS.resolve()), version_base="1.3", job_name=name):
        return hydra.compose(name, [*search_path(folders), *overrides], return_hydra_config=with_hydra)


def refuse_hydra_settings(name: str, overrides: Sequence[Override], folders: Sequence[Path]) -> None:
    """UserError if Hydra would write files, change folder or environment, or call what a config names, in any job.

    Its records of a sweep would replace a multirun.yaml, and its logging and its callbacks build what they are told to.
    """
    single = [literal(override) for override in overrides if not override.is_sweep_override()]
    swept = [override for override in overrides if override.is_sweep_override()]
    groups = option_names(folders)
    jobs = [
        [f"{one.key_or_group}={option}"]
        for one in swept
        for option in _swept_options(one, groups.get(one.key_or_group))
    ]
    try:
        usual = _hydra_settings(name, [], folders)
        found = [_hydra_settings(name, [*single, *job], folders) for job in ([], *jobs)]
    except FAULTS as error:
        raise UserError(explained(error, name, overrides, folders)) from error
    strange = [key for one in found for key in one if one[key] != usual[key] and key not in PLUGGED]
    strange += [override.key_or_group[6:] for override in swept if _is_hydra_key(override)]
    strange += [f"{key}._target_" for one in found for key in PLUGGED if not _is_plugin(one[key])]
    if strange:
        reason = "heed keeps Hydra's record of a sweep to itself, and a config calls nothing"
        raise UserError(f"hydra.{strange[0]}: {reason}; leave it out")


def _is_hydra_key(override: Override) -> bool:
    """Whether it is a setting of Hydra itself."""
    return override.key_or_group.startswith(("hydra.", "hydra/"))


SETTINGS_OF_HYDRA = ("run", "sweep", "output_subdir", "callbacks", "job_logging", "hydra_logging")
SETTINGS_OF_JOBS = ("chdir", "env_set", "env_copy")

PLUGGED = ("launcher", "sweeper")
PLUGINS = ("hydra_plugins.", "hydra._internal.core_plugins.")
"""Where the launchers and sweepers are that are installed."""


def _hydra_settings(name: str, overrides: Sequence[str], folders: Sequence[Path]) -> dict[str, Any]:
    """What no sweep may change, by its key, and the launcher and the sweeper."""
    hydra = OmegaConf.to_container(_compose(name, overrides, folders, with_hydra=True).hydra)
    settings = cast(dict[str, Any], hydra)
    return {
        **{key: settings.get(key) for key in SETTINGS_OF_HYDRA},
        **{f"job.{key}": settings["job"].get(key) for key in SETTINGS_OF_JOBS},
        **{key: settings[key] for key in PLUGGED},
    }


def _is_plugin(settings: Mapping[str, Any]) -> bool:
    return str(settings.get("_target_", "")).startswith(PLUGINS)


def explained(
    error: Exception, name: str, overrides: Sequence[Override], folders: Sequence[Path], otherwise: str | None = None
) -> str:
    """One line for what Hydra refused: the first override at fault, with the nearest that is right.

    If none is found, `otherwise` is what to say instead of Hydra's own words.
    """
    groups = option_names(folders)
    found = [_renamed(name, override) or _option_fault(override, groups) for override in overrides]
    if not any(found):
        known = _known_keys(name, overrides, folders)
        elsewhere = keys_of_options(known, folders)
        found = [_key_fault(override, known, elsewhere) for override in overrides] if known else []
    return next(filter(None, found), otherwise or str(error).splitlines()[0])


def _without_multirun(overrides: Sequence[Override]) -> str | None:
    """What to type instead of several values, if an override has some."""
    sweep = next((literal(override) for override in overrides if override.is_sweep_override()), None)
    if sweep is None:
        return None
    key, _, value = sweep.partition("=")
    return f"{sweep}: several values; add --multirun to try each, or type \"{key}='{value}'\" to mean one"


def refuse_renamed(name: str, overrides: Sequence[Override]) -> None:
    """UserError, with the new name, for a key that was called otherwise in an earlier release."""
    for override in overrides:
        if fault := _renamed(name, override):
            raise UserError(fault)


def _renamed(name: str, override: Override) -> str | None:
    now = RENAMED.get(name, {}).get(override.key_or_group)
    return f"{override.input_line}: {override.key_or_group} is called {now} now" if now else None


def option_names(folders: Sequence[Path] = ()) -> dict[str, list[str]]:
    """The options of every group, heed's own and those of the user's `folders`."""
    groups: dict[str, set[str]] = {}
    for folder in (CONFIGS, *folders):
        for file in folder.glob("*/*.yaml"):
            groups.setdefault(file.parent.name, set()).add(file.stem)
    return {group: sorted(options) for group, options in groups.items() if group != "hydra"}


def _known_keys(name: str, overrides: Sequence[Override], folders: Sequence[Path]) -> set[str]:
    """Every key and group of the command, with the options that were chosen; nothing if these do not compose."""
    try:
        groups: Mapping[str, Any] = _compose(name, [], folders, with_hydra=True).hydra.runtime.choices
        chosen = [literal(override) for override in overrides if override.key_or_group in groups]
        cfg = _compose(name, chosen, folders)
    except FAULTS:
        return set()
    return {*dotted(cast(dict[str, Any], OmegaConf.to_container(cfg))), *groups}


def _option_fault(override: Override, groups: Mapping[str, list[str]]) -> str | None:
    """What is wrong with an override that picks an option that its group does not have."""
    options = groups.get(override.key_or_group)
    if options is None or override.is_delete() or isinstance(override.value(), dict):
        return None
    for choice in _choices(override):
        if choice is not None and choice not in options:
            expected = f"{override.key_or_group} is one of {', '.join(options)}{nearest(shown(choice), options)}"
            return f"{override.input_line}: {expected}"
    return None


def _swept_options(override: Override, options: Sequence[str] | None) -> Iterator[Any]:
    """Which options of a group a sweep tries; none for a setting."""
    if options is not None:
        yield from options if isinstance(override.value(), Glob) else _choices(override)


def _choices(override: Override) -> Iterator[Any]:
    if isinstance(override.value(), Glob):
        return
    if override.is_sweep_override():
        yield from override.sweep_string_iterator()
    else:
        yield override.value()


def _key_fault(
    override: Override, known: set[str], elsewhere: Mapping[str, tuple[str, str]] | None = None
) -> str | None:
    key = override.key_or_group
    if key in known or key.startswith("hydra") or override.is_add() or override.is_force_add():
        return None
    whole, choice = _elsewhere(key, elsewhere or {})
    if choice:
        value = literal(override).partition("=")[2]
        return f"{override.input_line}: {whole} is a setting of {choice}; give {choice} {whole}={value}"
    return f"{override.input_line}: there is no key {key}{nearest(key, known)} (--cfg job shows them all)"


def _elsewhere(key: str, keys: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """The whole key of a setting, and the option that has it; the last part of the key is enough."""
    return keys.get(key) or keys.get(key.rpartition(".")[2]) or ("", "")


def keys_of_options(known: set[str], folders: Sequence[Path] = ()) -> dict[str, tuple[str, str]]:
    """For each setting that another option of a group has, by its whole key and its last part: both, `group=option`."""
    keys: dict[str, tuple[str, str]] = {}
    for folder in (CONFIGS, *folders):
        for file in sorted(folder.glob("*/*.yaml")):
            group = file.parent.name
            if group not in known or group in ("experiment", "debug"):
                continue
            text = file.read_text(encoding="utf-8")
            package = PACKAGE.match(text)
            for name in dotted(yaml.safe_load(text) or {}):
                whole = f"{package[1] if package else group}.{name}"
                if whole not in known:
                    keys.setdefault(whole, (whole, f"{group}={file.stem}"))
                    keys.setdefault(name.rpartition(".")[2], (whole, f"{group}={file.stem}"))
    return keys
