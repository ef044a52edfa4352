"""Settings are checked against the signatures of the functions that receive them."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from heed.errors import UserError
from heed.settings import as_typed, bind, dotted, faults, nearest, parse


def target(
    size: int,
    rate: float = 0.1,
    kind: Literal["gru", "lstm"] = "gru",
    path: Path | None = None,
    pair: tuple[float, float] = (0.9, 0.98),
) -> None: ...


@dataclass
class Inner:
    sentences: Annotated[int, Field(ge=1)]
    tokens: int | None = None


@dataclass
class Schema:
    seed: int
    batches: Inner


@dataclass
class Optional:
    inner: Inner | None


@dataclass
class Limits:
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")
        if self.high < 1:
            raise ValueError(f"inner.high={self.high}: expected more than 0")


@dataclass
class Ordered:
    inner: Limits


@dataclass
class Named:
    name: str


@dataclass
class Above:
    named: Named


def add(a: int, b: int = 1) -> int:
    return a + b


def refuse(message: str) -> int:
    raise ValueError(message)


FUNCTIONS: dict[str, Callable[..., int]] = {"add": add, "refuse": refuse}


def check(**settings: Any) -> list[str]:
    return faults(settings, target)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"rate": 1},
        {"kind": "lstm"},
        {"path": "data/tiny"},
        {"path": None},
        {"pair": [0.5, 1]},
        {"rate": float("inf")},
    ],
)
def test_values_of_yaml_that_fit_a_type_are_accepted(settings: dict[str, Any]) -> None:
    """Catches a check that refuses a list for a tuple or a string for a path."""
    assert check(size=3, **settings) == []


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"size": "abc"}, "size=abc: should be a valid integer"),
        ({"size": "3"}, "size=3: should be a valid integer"),
        ({"size": 3.0}, "size=3.0: should be a valid integer"),
        ({"size": True}, "size=true: should be a valid integer"),
        ({"size": None}, "size=null: should be a valid integer"),
        ({"size": [3]}, "size=[3]: should be a valid integer"),
        ({"rate": float("nan")}, "rate=NaN: should be a number"),
        ({"rate": "fast"}, "rate=fast: should be a valid number"),
        ({"kind": "gur"}, "kind=gur: should be 'gru' or 'lstm'"),
        ({"pair": [0.5]}, "pair=[0.5]: should be"),
    ],
)
def test_a_wrong_type_names_key_value_and_what_was_expected(settings: dict[str, Any], fault: str) -> None:
    """Catches values that are converted silently: "3" to 3, 3.0 to 3, true to 1."""
    found = check(**{"size": 3, **settings})

    assert len(found) == 1
    assert found[0].startswith(fault)


def test_all_faults_are_reported_at_once() -> None:
    """Catches a check that stops at the first fault, so that a user needs one start for each fault."""
    assert check(sise=3, rate="x", kind=1) == [
        "sise=3: there is no such key; did you mean size?",
        "rate=x: should be a valid number",
        "kind=1: should be 'gru' or 'lstm'",
        "size: has no value; give size=…",
    ]


def test_three_question_marks_mean_a_missing_value() -> None:
    """Catches '???' that is taken for a string."""
    assert check(size="???", path="???") == ["size: has no value; give size=…", "path: has no value; give path=…"]


def test_a_dataclass_checks_the_keys_below_it() -> None:
    """Catches unknown keys below a node, which would silently have no effect."""
    assert faults({"seed": 1, "batches": {"sentences": 0, "token": 4000}}, Schema) == [
        "batches.sentences=0: should be greater than or equal to 1",
        "batches.token=4000: there is no such key; did you mean tokens?",
    ]
    assert faults({"seed": 1, "batches": {"sentences": 1, "x": 2}}, Schema) == [
        "batches.x=2: there is no such key; expected sentences, tokens"
    ]
    assert faults({"seed": 1, "batches": 64}, Schema) == ["batches=64: should have the keys sentences, tokens"]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("model.hiddim", "model.hid_dim"),
        ("modle.hid_dim", "model.hid_dim"),
        ("hid_dim", "model.hid_dim"),
        ("sed", "seed"),
        ("atention", "attention"),
    ],
)
def test_the_nearest_key_is_found_by_its_whole_name_or_its_last_part(word: str, found: str) -> None:
    """Catches a search by whole keys only, which gives wrong advice if `model.` is missing."""
    assert nearest(word, ["seed", "model", "model.hid_dim", "model.emb_dim", "attention"]) == f"; did you mean {found}?"


def test_no_key_is_proposed_if_none_is_near() -> None:
    """Catches a misleading proposal."""
    assert nearest("zzz", ["seed", "model"]) == ""
    assert nearest("seed", []) == ""


def test_every_key_an_override_can_name() -> None:
    """Catches nested keys that are never proposed."""
    settings = {"model": {"hid_dim": 1, "deep": {"er": 2}}, "seed": 1}

    assert list(dotted(settings)) == ["model", "model.hid_dim", "model.deep", "model.deep.er", "seed"]


def test_parse_builds_nested_dataclasses() -> None:
    """Catches nodes that stay dicts, whose values cannot be read as attributes."""
    assert parse(Schema, {"seed": 1, "batches": {"sentences": 3}}) == Schema(1, Inner(3))


def test_a_node_that_may_be_none_is_checked_if_it_is_not() -> None:
    """Catches `early_stop: null` that is refused, and misspelt keys that are accepted below a node that may be null."""
    assert parse(Optional, {"inner": None}) == Optional(None)
    assert parse(Optional, {"inner": {"sentences": 2}}) == Optional(Inner(2))
    with pytest.raises(UserError, match=r"^inner\.sentence=2: there is no such key; did you mean sentences\?; "):
        parse(Optional, {"inner": {"sentence": 2}})
    with pytest.raises(UserError, match=r"^inner=3: should have the keys sentences, tokens$"):
        parse(Optional, {"inner": 3})


def test_an_error_of_a_dataclass_names_its_node_in_one_line() -> None:
    """Catches the ValueError of a dataclass's own check that is shown as a bug in heed or as pydantic's message."""
    with pytest.raises(UserError, match=r"^inner\.low is above high$"):
        parse(Ordered, {"inner": {"low": 2, "high": 1}})
    with pytest.raises(UserError, match=r"^inner\.high=0: expected more than 0$"):  # the message already names the node
        parse(Ordered, {"inner": {"low": 0, "high": 0}})


@pytest.mark.parametrize(
    ("values", "texts", "expected"),
    [
        ({"path": 2024}, {"path": "2024"}, {"path": "2024"}),
        ({"path": float("nan")}, {"path": "nan"}, {"path": "nan"}),
        ({"size": 3}, {"size": "3"}, {"size": 3}),
        ({"path": 1.5}, {}, {"path": 1.5}),
    ],
)
def test_a_string_that_looks_like_a_number_stays_a_string_if_one_is_expected(
    values: dict[str, Any], texts: dict[str, str], expected: dict[str, Any]
) -> None:
    """Catches run=2024 that is refused as a number, and a number that becomes a string."""
    assert as_typed(values, target, texts) == expected


def test_a_nested_string_is_found_by_its_dotted_key() -> None:
    """Catches strings that are looked up by only the last part of their key."""
    assert as_typed({"named": {"name": 7}}, Above, {"named.name": "007", "name": "x"}) == {"named": {"name": "007"}}


def test_a_named_function_gets_the_other_keys_as_arguments() -> None:
    """Catches a name that is passed as an argument."""
    assert bind("search", {"name": "add", "b": 2}, FUNCTIONS)(1) == 3


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"name": "ad"}, "search.name=ad: expected one of add, refuse; did you mean add?"),
        ({}, "search.name=???: expected one of add, refuse"),
        ({"name": "add", "c": 2}, "search.c=2: there is no such key"),
        ({"name": "add", "b": "x"}, "search.b=x: should be a valid integer"),
    ],
)
def test_a_named_function_is_checked_before_it_is_called(node: dict[str, Any], message: str) -> None:
    """Catches a misspelt argument that surfaces as a TypeError in the middle of a run."""
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        bind("search", node, FUNCTIONS)


def test_an_error_of_a_named_function_is_reported_with_its_key() -> None:
    """Catches a ValueError that is shown as a bug in heed, and a message that is lost."""
    with pytest.raises(UserError, match=r"^search: no$"):
        bind("search", {"name": "refuse"}, FUNCTIONS)("no")


def test_a_string_instead_of_a_list_is_refused_with_the_list_to_write() -> None:
    """Catches a message in terms of JSON schemas, which does not help a user who types `key=a`."""

    def listed(several: tuple[str, ...]) -> None: ...

    assert faults({"several": "url"}, listed) == ["several=url: should be a list, such as [url]"]
    assert faults({"several": 3}, listed) == ["several=3: should be a list"]


def test_only_what_a_config_can_give_is_expected() -> None:
    """Catches pydantic's advice to programmers for a type such as `float | Tensor`, which torch's optimizers have."""

    def optimizer(lr: float | threading.Event) -> None: ...

    assert list(faults({"lr": "fast"}, optimizer)) == ["lr=fast: should be a valid number"]

    def other(hook: threading.Event) -> None: ...

    assert list(faults({"hook": "x"}, other)) == ["hook=x: should be left out, because only a program can give it"]
