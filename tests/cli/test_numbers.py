"""Every numeric setting, set to an impossible number: the error line names the whole key."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from heed import experiment
from heed.cli import align, evaluate, serve, translate
from heed.cli.config import compose, plain
from heed.cli.nodes import search_settings
from heed.errors import UserError
from heed.settings import dotted, parse
from heed.shipped import shipped
from heed.translator import Translator, load
from tests.support.model_folder import write

FILES = ["corpus.name=own", "corpus.src_lang=en", "corpus.tgt_lang=fr", "corpus.train=train", "corpus.valid=valid"]
GROUPS = {
    "train": ["attention", "corpus", "optim", "schedule", "teacher_forcing", "subwords"],
    "evaluate": ["search"],
    "translate": ["search"],
    "align": [],
    "serve": [],
}
REQUIRED = {"corpus=files": FILES, "corpus=tsv": FILES, "corpus=multi30k": ["corpus.pair=en-fr"]}
SCHEMAS = {
    "train": experiment.Settings,
    "evaluate": evaluate.Settings,
    "translate": translate.Settings,
    "align": align.Settings,
    "serve": serve.Settings,
}

IMPOSSIBLE = -3
OTHERS = {"search.length_penalty": -1000}
ANY = {"corpus.seed", "corpus.split_seed", "search.seed"}
"""Seeds of a random generator, which may be negative."""


def options(command: str) -> Iterator[str]:
    for group in GROUPS[command]:
        yield from (f"{group}={file.stem}" for file in sorted((shipped("configs") / group).glob("*.yaml")))


def variants() -> Iterator[tuple[str, list[str]]]:
    for command in GROUPS:
        yield command, []
        yield from ((command, [option, *REQUIRED.get(option, [])]) for option in options(command))
    yield "train", ["debug=profile"]


def numbers(values: Mapping[str, Any]) -> Iterator[str]:
    """The keys whose default is a number, a list of numbers, or null."""
    for key, value in dotted(values).items():
        one = value[0] if isinstance(value, list) and value else value
        if one is None or (isinstance(one, int | float) and not isinstance(one, bool)):
            yield key


def changed(values: Mapping[str, Any], key: str, number: float) -> dict[str, Any]:
    first, _, rest = key.partition(".")
    return {**values, first: changed(values[first], rest, number) if rest else number}


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    return load(write(tmp_path_factory.mktemp("run") / "model"))


def _impossible(key: str, default: object) -> float:
    number = OTHERS.get(key, IMPOSSIBLE)
    return float(number) if isinstance(default, float) else number


def use(command: str, values: Mapping[str, Any], translator: Translator) -> None:
    """Check the settings as the command does, and translate with the settings of the search."""
    settings: Any = parse(SCHEMAS[command], values)
    if command == "train":
        experiment.check(settings)
    if command in ("evaluate", "translate"):
        name, search = search_settings(settings.search)
        translator.translate("a dog barks", name, **{**search, "n_best": search["n_best"] or 1})


@pytest.mark.parametrize(("command", "variant"), list(variants()))
def test_an_impossible_number_is_refused_with_its_whole_key(
    command: str, variant: list[str], translator: Translator
) -> None:
    """Catches `warmup_steps is -3`, which leaves people to search for the key to change."""
    needed = [] if command == "train" else ["model=runs/tiny/model"]
    values = plain(compose(command, [*needed, *variant]))
    changes_of = {option.partition("=")[0] for option in variant[:1]} - {"attention", "debug"}
    keys = [key for key in numbers(values) if not changes_of or key.partition(".")[0] in changes_of]
    for key in keys:
        if key not in ANY:
            with pytest.raises(UserError) as refused:
                use(command, changed(values, key, _impossible(key, dotted(values)[key])), translator)
            message = str(refused.value)
            assert key in message, (key, message)
            assert "\n" not in message
