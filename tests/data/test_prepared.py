"""What training reads is the same whether it was made or found, and found only where nothing has changed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heed.data import cache, prepared
from heed.data.cleaning import Report, clean
from heed.data.corpus import Pairs
from heed.data.encoded import Encoded
from heed.data.prepared import Prepared, Recipe, prepare
from heed.data.resampled import Resampled
from heed.data.reverse import reverse
from heed.text.subwords import Subwords

SPLITS = {name: reverse(train=60, valid=9).read(name) for name in ("train", "valid")}
SUBWORDS = Subwords.train(SPLITS["train"].src, "bpe", 40)
RECIPE = Recipe(SUBWORDS, SUBWORDS, "bpe", {"max_len": 100}, None, 1)


class Cleaning:
    """Says how often it was asked."""

    def __init__(self, splits: dict[str, Pairs]) -> None:
        self.splits, self.asked = splits, 0

    def __call__(self) -> tuple[Pairs, Report]:
        self.asked += 1
        return clean(self.splits["train"])


@pytest.fixture(autouse=True)
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "CACHE", tmp_path)
    monkeypatch.setattr(prepared, "LARGE", 10)


def asked(recipe: Recipe, splits: dict[str, Pairs] = SPLITS) -> int:
    cleaning = Cleaning(splits)
    prepare(splits, recipe, cleaning)
    return cleaning.asked


def same(one: Prepared, other: Prepared) -> bool:
    tables = one.table == other.table and type(one.train) is type(other.train)
    arrays = [(read.train.arrays(), read.valid.arrays()) for read in (one, other)]
    return tables and all(
        np.array_equal(first[name], second[name]) for first, second in zip(*arrays, strict=True) for name in first
    )


@pytest.mark.parametrize("sampling", [None, 0.2])
def test_what_is_found_is_what_was_made(sampling: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would catch sides exchanged on the disk, a table of another text, and draws that begin elsewhere."""
    recipe = RECIPE._replace(sampling=sampling)
    made, found = (prepare(SPLITS, recipe, Cleaning(SPLITS)) for _ in range(2))
    assert same(made, found)
    monkeypatch.setattr(prepared, "LARGE", 10**9)
    assert same(made, prepare(SPLITS, recipe, Cleaning(SPLITS)))
    if isinstance(found.train, Resampled) and isinstance(made.train, Resampled):
        found_epoch, made_epoch = found.train.epoch(3), made.train.epoch(3)
        assert found_epoch.src_ids.tolist() == made_epoch.src_ids.tolist()
    else:
        assert isinstance(found.train, Encoded)
        assert "pairs read" in found.table


def test_it_is_made_once() -> None:
    assert [asked(RECIPE), asked(RECIPE)] == [1, 0]


def test_few_pairs_leave_nothing_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would catch a cache that fills up with what takes no time to make."""
    monkeypatch.setattr(prepared, "LARGE", len(SPLITS["train"]) + 1)
    assert [asked(RECIPE), asked(RECIPE)] == [1, 1]
    assert list(tmp_path.iterdir()) == []


OTHERS: list[dict[str, Any]] = [
    {"src": Subwords.train(SPLITS["train"].src, "char", 40)},
    {"tgt": Subwords.train(SPLITS["train"].src, "char", 40)},
    {"cleaning": {"max_len": 99}},
    {"sampling": 0.1},
]


@pytest.mark.parametrize("change", OTHERS, ids=lambda change: next(iter(change)))
def test_other_settings_are_another_entry(change: dict[str, Any]) -> None:
    """Would catch pieces of another vocabulary, whose ids mean other words."""
    asked(RECIPE)
    assert asked(RECIPE._replace(**change)) == 1


def test_what_is_drawn_depends_on_the_seed_and_pieces_do_not() -> None:
    asked(RECIPE)
    assert asked(RECIPE._replace(seed=2)) == 0
    asked(RECIPE._replace(sampling=0.2))
    assert asked(RECIPE._replace(sampling=0.2, seed=2)) == 1


@pytest.mark.parametrize("split", ["train", "valid"])
def test_another_text_is_another_entry(split: str) -> None:
    """Would catch a corpus that was mended, and trained on as it was before."""
    asked(RECIPE)
    pairs = SPLITS[split]
    assert asked(RECIPE, SPLITS | {split: Pairs([*pairs.src[:-1], "1 2 3"], pairs.tgt)}) == 1


def test_other_code_is_another_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would catch arrays that an earlier version made otherwise."""
    asked(RECIPE)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "changed.py").write_text("")
    monkeypatch.setattr(prepared, "CODE", [*prepared.CODE, tmp_path / "code"])
    assert asked(RECIPE) == 1
