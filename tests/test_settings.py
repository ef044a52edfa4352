"""Settings against the signatures that will receive them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from heed.settings import dotted, faults, nearest


def target(
    size: int,
    rate: float = 0.1,
    kind: Literal["gru", "lstm"] = "gru",
    path: Path | None = None,
    pair: tuple[float, float] = (0.9, 0.98),
    part: Any = None,
) -> None: ...


def open_ended(size: int, **others: object) -> None: ...


def sequence(parts: Sequence[object]) -> None: ...


class Adam:
    """An object that no plain value can stand for."""


def training(optimizer: Adam) -> None: ...


@dataclass
class Inner:
    sentences: Annotated[int, Field(ge=1)]
    tokens: int | None = None


@dataclass
class Schema:
    seed: int
    batches: Inner


HERE = f"{__name__}."


@pytest.fixture(autouse=True)
def _targets_of_this_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heed.settings.BUILDABLE", ("heed.", "torch.", HERE))


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
def test_what_yaml_can_say_of_a_type_is_right(settings: dict[str, Any]) -> None:
    """Catches a check so strict that a list is no tuple and a text no path."""
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
    """Catches values turned into what they are not: "3" into 3, 3.0 into 3, true into 1."""
    found = check(**{"size": 3, **settings})

    assert len(found) == 1
    assert found[0].startswith(fault)


def test_all_faults_are_told_at_once() -> None:
    """Catches a check that stops at the first fault: a person would mend a config fault by fault, run by run."""
    assert check(sise=3, rate="x", kind=1) == [
        "sise=3: there is no such key; did you mean size?",
        "rate=x: should be a valid number",
        "kind=1: should be 'gru' or 'lstm'",
        "size: has no value; give size=…",
    ]


def test_three_question_marks_are_no_value() -> None:
    """Catches '???' taken for a text where a text is expected."""
    assert check(size="???", path="???") == ["size: has no value; give size=…", "path: has no value; give path=…"]


def test_nodes_are_checked_wherever_they_stand() -> None:
    """Catches a check of top-level nodes alone: those inside lists, dicts and other nodes would be built unchecked."""
    node = {"_target_": f"{HERE}target", "size": "x"}

    assert faults({"a": {"b": node}, "c": [node], "size": 1}, open_ended) == [
        "a.b.size=x: should be a valid integer",
        "c.0.size=x: should be a valid integer",
    ]
    assert check(size=1, part=node) == ["part.size=x: should be a valid integer"]
    assert faults({"parts": [node]}, sequence) == ["parts.0.size=x: should be a valid integer"]


def test_a_partial_node_may_lack_keys_but_not_misspell_them() -> None:
    """Catches `_partial_` taken for a licence to hold anything."""
    node = {"_target_": f"{HERE}target", "_partial_": True, "rat": 1.0}

    assert check(size=1, part=node) == ["part.rat=1.0: there is no such key; did you mean rate?"]


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "heed.nowhere", "heed.errors", 3])
def test_only_heed_torch_and_lightning_can_be_built(name: object) -> None:
    """Catches a config that calls whatever is installed."""
    found = check(size=1, part={"_target_": name})

    assert len(found) == 1
    assert found[0].startswith(f"part._target_={name}: should name a function or class in heed., torch.")


def test_a_dataclass_checks_the_keys_below_it() -> None:
    """Catches unknown keys below a plain node, which would silently do nothing."""
    assert faults({"seed": 1, "batches": {"sentences": 0, "token": 4000}}, Schema) == [
        "batches.sentences=0: should be greater than or equal to 1",
        "batches.token=4000: there is no such key; did you mean tokens?",
    ]
    assert faults({"seed": 1, "batches": 64}, Schema) == ["batches=64: should hold keys (sentences, tokens)"]


def test_torch_s_own_optimizers_can_be_checked() -> None:
    """Catches annotations of other libraries on which the check itself fails."""
    adam = {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.001, "betas": [0.9, 0.98]}

    assert check(size=1, part=adam) == []
    assert check(size=1, part=adam | {"lr": "fast"}) == ["part.lr=fast: should be a valid number"]


def test_what_only_a_target_can_make_is_no_plain_value() -> None:
    """Catches a text handed to what expects an object, and pydantic's own words about it."""
    assert faults({"optimizer": "adam"}, training) == ["optimizer=adam: should be built by a _target_ of its own"]
    assert faults({"optimizer": {"_target_": f"{HERE}Adam"}}, training) == []


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
def test_the_nearest_key_is_found_by_its_whole_or_by_its_end(word: str, found: str) -> None:
    """Catches a search by the whole key alone: who forgets `model.` would be sent elsewhere."""
    assert nearest(word, ["seed", "model", "model.hid_dim", "model.emb_dim", "attention"]) == f"; did you mean {found}?"


def test_no_key_is_proposed_where_none_is_near() -> None:
    """Catches a proposal that sends a person further astray."""
    assert nearest("zzz", ["seed", "model"]) == ""
    assert nearest("seed", []) == ""


def test_every_key_an_override_can_name() -> None:
    """Catches keys of Hydra's own, such as `_target_`, proposed to a person."""
    settings = {"model": {"_target_": "x", "hid_dim": 1, "deep": {"er": 2}}, "seed": 1}

    assert list(dotted(settings)) == ["model", "model.hid_dim", "model.deep", "model.deep.er", "seed"]
