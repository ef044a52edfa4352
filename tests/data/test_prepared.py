"""Training data are the same whether computed or cached, and the cache is used only if nothing has changed."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heed.data import prepared
from heed.data.cleaning import Report, clean
from heed.data.corpus import Corpus, Pairs, Part
from heed.data.encoded import Encoded
from heed.data.prepared import Prepared, Recipe, Splits, fingerprint, fingerprints, read_splits
from heed.data.resampled import Resampled
from heed.data.reverse import reverse
from heed.data.summary import table
from heed.data.text_files import files
from heed.errors import UserError
from heed.text.subwords import Subwords

SPLITS = {name: reverse(train=60, valid=9).read(name) for name in ("train", "valid")}
SUBWORDS = Subwords.train(SPLITS["train"].src, "bpe", 40)
RECIPE = Recipe(SUBWORDS, SUBWORDS, "bpe", {"max_len": 100}, None, 1)


class Cleaning:
    """Counts its calls."""

    def __init__(self, splits: dict[str, Pairs]) -> None:
        self.splits, self.asked = splits, 0

    def __call__(self) -> tuple[Pairs, Report]:
        self.asked += 1
        return clean(self.splits["train"])


@pytest.fixture(autouse=True)
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEED_CACHE", str(tmp_path))
    monkeypatch.setattr(prepared, "LARGE", 10)


def prepare(splits: Splits, recipe: Recipe, cleaned: Callable[[], tuple[Pairs, Report]]) -> Prepared:
    return prepared.prepare(splits, recipe, cleaned, fingerprints(splits))


def asked(recipe: Recipe, splits: dict[str, Pairs] = SPLITS) -> int:
    cleaning = Cleaning(splits)
    prepare(Splits(splits), recipe, cleaning)
    return cleaning.asked


def same(one: Prepared, other: Prepared) -> bool:
    tables = one.summary == other.summary and type(one.train) is type(other.train)
    arrays = [(read.train.arrays(), read.valid.arrays()) for read in (one, other)]
    return tables and all(
        np.array_equal(first[name], second[name]) for first, second in zip(*arrays, strict=True) for name in first
    )


@pytest.mark.parametrize("sampling", [None, 0.2])
def test_cached_data_equal_the_computed_data(sampling: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches sides that are exchanged in the cache, the summary of another text, and other draws of subwords."""
    recipe = RECIPE._replace(sampling=sampling)
    made, found = (prepare(Splits(SPLITS), recipe, Cleaning(SPLITS)) for _ in range(2))
    assert same(made, found)
    monkeypatch.setattr(prepared, "LARGE", 10**9)
    assert same(made, prepare(Splits(SPLITS), recipe, Cleaning(SPLITS)))
    if isinstance(found.train, Resampled) and isinstance(made.train, Resampled):
        found_epoch, made_epoch = found.train.epoch(3), made.train.epoch(3)
        assert found_epoch.src_ids.tolist() == made_epoch.src_ids.tolist()
    else:
        assert isinstance(found.train, Encoded)
        assert found.summary.splits["train"].read == len(SPLITS["train"])


def test_text_that_changes_while_it_is_prepared_is_not_cached(tmp_path: Path) -> None:
    """Catches a cache that gives one text under the hash of another, to this run and to every later one."""
    for side in ("src", "tgt"):
        (tmp_path / f"train.{side}").write_text("\n".join(getattr(SPLITS["train"], side)) + "\n")
    train = files("text", "src", "tgt", train=str(tmp_path / "train"), split_seed=None).stream("train")

    splits = Splits(SPLITS | {"train": train})
    digests, cleaned = fingerprints(splits), clean(train)
    lines = (tmp_path / "train.tgt").read_text().splitlines()
    (tmp_path / "train.tgt").write_text("\n".join(reversed(lines)) + "\n")
    with pytest.raises(UserError, match="the training text changed while it was read; start again"):
        prepared.prepare(splits, RECIPE, lambda: cleaned, digests)
    assert not [*tmp_path.glob("encoded/*"), *tmp_path.glob("encoded/.*")]


def mixed(weight: float, further: int = 20) -> dict[str, Pairs]:
    """The splits, of which the first pairs are read as often as `weight` says."""
    train = SPLITS["train"]
    parts = (Part("further", weight, further), Part("own", 1.0, len(train) - further))
    return SPLITS | {"train": replace(train, parts=parts, part=[0] * further + [1] * (len(train) - further))}


def test_cached_readings_equal_the_computed_ones() -> None:
    """Catches a cached mix that reads every pair once, and a mix with the readings of another mix."""
    each = [mixed(0.5), mixed(0.5), mixed(2.0), mixed(2.0, further=30)]
    found = [prepare(Splits(splits), RECIPE, Cleaning(splits)) for splits in each]
    counts = [one.readings.counts() for one in found if one.readings]
    assert counts == [[10, 40], [10, 40], [40, 40], [60, 30]]
    assert found[0].summary == found[1].summary
    assert [one.summary.parts["further"].readings for one in found] == [10, 10, 40, 60]
    assert asked(RECIPE, mixed(0.5)) == 0
    assert prepare(Splits(SPLITS), RECIPE, Cleaning(SPLITS)).readings is None


def test_data_are_computed_once() -> None:
    assert [asked(RECIPE), asked(RECIPE)] == [1, 0]


def test_few_pairs_leave_nothing_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a cache that fills up with data that are computed in no time."""
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
    """Catches subwords of another vocabulary, whose ids mean other words."""
    asked(RECIPE)
    assert asked(RECIPE._replace(**change)) == 1


def test_only_drawn_subwords_depend_on_the_seed() -> None:
    asked(RECIPE)
    assert asked(RECIPE._replace(seed=2)) == 0
    asked(RECIPE._replace(sampling=0.2))
    assert asked(RECIPE._replace(sampling=0.2, seed=2)) == 1


@pytest.mark.parametrize("split", ["train", "valid"])
def test_another_text_is_another_entry(split: str) -> None:
    """Catches a corrected corpus of which the old version is used for training."""
    asked(RECIPE)
    pairs = SPLITS[split]
    assert asked(RECIPE, SPLITS | {split: Pairs([*pairs.src[:-1], "1 2 3"], pairs.tgt)}) == 1


def test_other_code_is_another_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches arrays from an earlier version of the code that are used after a change."""
    asked(RECIPE)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "changed.py").write_text("")
    monkeypatch.setattr(prepared, "CODE", [*prepared.CODE, tmp_path / "code"])
    assert asked(RECIPE) == 1


def test_the_lines_of_validation_belong_to_its_subwords() -> None:
    """Catches words that are paired with the subwords of another line or of the other side."""
    made = prepare(Splits(SPLITS), RECIPE, Cleaning(SPLITS))
    for number, (src, tgt) in enumerate(zip(*made.valid_lines, strict=True)):
        assert (src.ids, tgt.ids) == (made.valid.src(number).tolist(), made.valid.tgt(number).tolist())
        assert (src.words, tgt.words) == (SPLITS["valid"].src[number].split(), SPLITS["valid"].tgt[number].split())


def test_a_test_split_that_cannot_be_read_is_a_note(tmp_path: Path) -> None:
    """Catches training refused for a file that it does not read; train and valid must be readable."""
    for lang in ("en", "fr"):
        (tmp_path / f"some.{lang}").write_text("a b\n", encoding="utf-8")
    prefix = str(tmp_path / "some")
    splits = read_splits(files("own", "en", "fr", train=prefix, valid=prefix, test=str(tmp_path / "gone")))
    assert list(splits.pairs) == ["train", "valid"]
    made = prepare(splits, RECIPE, lambda: clean(splits.pairs["train"]))
    assert table(made.summary).splitlines()[-1].startswith("test: cannot be read, ")
    assert "gone.en does not exist" in table(made.summary)
    with pytest.raises(UserError, match=r"gone\.en does not exist"):
        read_splits(files("own", "en", "fr", train=prefix, valid=str(tmp_path / "gone")))


def test_notes_of_a_corpus_are_read_whether_its_text_was_cached_or_not() -> None:
    """Catches a note of an earlier start that is cached, and a note that only the first start shows."""
    for note in ("one", "other"):
        splits = read_splits(
            Corpus("own", "en", "fr", {name: partial(SPLITS.__getitem__, name) for name in SPLITS}, [note])
        )
        assert prepare(splits, RECIPE, Cleaning(SPLITS)).summary.notes == (note,)


def test_a_fingerprint_depends_on_the_text_and_its_links() -> None:
    """Catches a run that is resumed with other text or links in files of the same names."""
    pairs = SPLITS["train"]
    assert pairs.gold is not None
    others = [
        Pairs(pairs.tgt, pairs.src, pairs.gold),
        Pairs(pairs.src, pairs.tgt),
        Pairs(pairs.src, pairs.tgt, pairs.gold[::-1]),
    ]
    names = [fingerprint({"train": one}) for one in (pairs, *others)]
    assert len(set(names)) == 4
    assert fingerprint({"train": Pairs(list(pairs.src), list(pairs.tgt), list(pairs.gold))}) == names[0]
