"""Every shipped YAML file, composed as by its command, and checked against the types of its settings."""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from heed.cli import align, evaluate, export, serve, translate
from heed.cli.config import compose, plain
from heed.cli.options import CONFIGS
from heed.data.readers import parsed, reader
from heed.experiment import Settings
from heed.settings import MISSING, dotted, faults, without_value

SCHEMAS: dict[str, Callable[..., object]] = {
    "train": Settings,
    "evaluate": evaluate.Settings,
    "translate": translate.Settings,
    "align": align.Settings,
    "serve": serve.Settings,
    "export": export.Settings,
}

OWN_MACHINERY = {"hydra"}


def options() -> dict[str, list[str]]:
    folders = [path for path in CONFIGS.iterdir() if path.is_dir() and path.name not in OWN_MACHINERY]
    return {folder.name: sorted(path.stem for path in folder.glob("*.yaml")) for folder in folders}


def used(name: str) -> list[str]:
    """The groups that a command's defaults list names."""
    entries = OmegaConf.to_container(cast(Any, OmegaConf.load(CONFIGS / f"{name}.yaml")).defaults)
    assert isinstance(entries, list)
    names = [next(iter(entry)) for entry in entries if isinstance(entry, dict)]
    return [group for group in names if not str(group).startswith("override")]


def choices() -> Iterator[tuple[str, list[str]]]:
    for name in SCHEMAS:
        yield name, []
        for group in used(name):
            for option in options()[group]:
                yield name, [f"{group}={option}"]


@cache
def composed(name: str, *overrides: str) -> DictConfig:
    """The config of a command. Do not change it: it is composed once for all tests."""
    return compose(name, overrides)


def values(name: str, *overrides: str) -> dict[str, Any]:
    """Every key of a composed config, dotted."""
    return dotted(cast(dict[str, Any], OmegaConf.to_container(composed(name, *overrides))))


def found_in(name: str, overrides: list[str]) -> list[str]:
    """Errors in a composed config, except for values that the user must give."""
    cfg = deepcopy(composed(name, *overrides))
    for key in (key for key, value in values(name, *overrides).items() if value == MISSING):
        OmegaConf.update(cfg, key, "onnx" if key == "to" else "given")  # values that refer to it can then be resolved
    settings = plain(cfg)
    wrong = faults(settings, SCHEMAS[name])
    if settings.get("corpus"):
        wrong += parsed(
            {key: value for key, value in settings["corpus"].items() if key != "reader"},
            reader(settings["corpus"]["reader"]),
        )[1].values()
    return [f"{name} {overrides}: {fault}" for fault in wrong]


def test_every_config_fits_its_command() -> None:
    """Catches a key that was renamed only in the code, and a misspelt key, in any file."""
    assert [fault for name, overrides in choices() for fault in found_in(name, overrides)] == []


def in_file(path: Path) -> dict[str, Any]:
    """The values that an option's file gives, by the keys that they have in the whole config."""
    text = path.read_text(encoding="utf-8")
    package = re.search(r"^# @package (\S+)", text, re.MULTILINE)
    above = {None: f"{path.parent.name}.", "_global_": ""}.get(package and package[1], f"{package and package[1]}.")
    content = yaml.safe_load(text)
    content.pop("defaults", None)
    return {key: value for key, value in dotted(content, above).items() if not isinstance(value, dict)}


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_value_of_an_option_is_effective(name: str) -> None:
    """Catches a value in a group's file that the command's own file overrides, so that it never applies."""
    for group in used(name):
        for option in options()[group]:
            whole = values(name, f"{group}={option}")
            given = in_file(CONFIGS / group / f"{option}.yaml")
            assert {key: whole[key] for key in given} == given, f"{group}={option}"


def test_no_config_names_code() -> None:
    """Catches a config that makes Hydra call code: a config is only data."""
    assert [path for path in CONFIGS.rglob("*.yaml") if "_target_" in path.read_text(encoding="utf-8")] == []


def test_every_option_belongs_to_a_command() -> None:
    """Catches a group that no defaults list names, so that no command reaches its files."""
    assert {group for name in SCHEMAS for group in used(name)} == set(options())


def test_every_file_is_a_command_or_an_option() -> None:
    """Catches a YAML file that no command composes, so that no test checks it."""
    files = {path.relative_to(CONFIGS) for path in CONFIGS.rglob("*.yaml")}
    known = {Path(f"{name}.yaml") for name in SCHEMAS}
    known |= {Path(group, f"{option}.yaml") for group, names in options().items() for option in names}
    known |= {Path(f"hydra/{group}/terminal.yaml") for group in ("job_logging", "hydra_logging")}
    assert files == known


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_help_names_every_group_and_option(name: str) -> None:
    """Catches a help text without a new option."""
    shown = cast(Any, OmegaConf.load(CONFIGS / f"{name}.yaml")).hydra.help.template
    names = {word for group in used(name) for word in [group, *options()[group]]}
    assert [word for word in names if not re.search(rf"\b{word}\b", shown)] == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_help_fits_a_terminal(name: str) -> None:
    """Catches a line that a terminal of 80 columns breaks in the middle of a word."""
    shown = cast(Any, OmegaConf.load(CONFIGS / f"{name}.yaml")).hydra.help.template
    assert [line for line in shown.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_no_command_lets_hydra_write(name: str) -> None:
    """Catches a command whose config lacks the lines that stop Hydra from writing its own files."""
    hydra = cast(Any, OmegaConf.load(CONFIGS / f"{name}.yaml")).hydra
    assert hydra.output_subdir is None
    assert hydra.run.dir == "."
    assert "now:" not in OmegaConf.to_yaml(hydra)


@pytest.mark.parametrize("group", ["experiment", "debug"])
def test_a_recipe_opens_with_its_command(group: str) -> None:
    """Catches a recipe that does not say how it is run."""
    for path in (CONFIGS / group).glob("*.yaml"):
        assert f"# heed-train {group}={path.stem}" in path.read_text(encoding="utf-8").splitlines()


def test_a_recipe_has_a_run_of_its_own() -> None:
    """Catches two recipes, or a recipe and a plain run, that use the same run folder."""
    recipes = [f"{group}={option}" for group in ("experiment", "debug") for option in options()[group]]
    names = [composed("train", recipe).run for recipe in recipes]
    assert len({*names, composed("train").run}) == len(names) + 1


def test_what_a_person_must_give_is_reported() -> None:
    """Catches a default for a value that only the user can know."""
    asked_for = ["corpus.name", "corpus.src_lang", "corpus.tgt_lang"]
    given = values("train", "corpus=files")
    assert [key for key, value in given.items() if value == MISSING] == asked_for
    assert without_value("corpus.name") == "corpus.name: has no value; give corpus.name=…"
