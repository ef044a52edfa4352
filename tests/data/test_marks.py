"""Text that was cut into subwords before is noticed, and other text is not."""

from functools import partial

import pytest

from heed.data.corpus import Corpus, Pairs
from heed.data.marks import subword_mark
from heed.data.prepared import read_splits
from heed.data.readers import read_corpus

CUT = ["the un@@ known wo@@ rds", "are jo@@ ined", "here"]


def test_each_mark_is_noticed() -> None:
    """Catches scores of pieces that pass for scores of words."""
    assert subword_mark(CUT) == "@@"
    assert subword_mark(["▁the ▁un known", "▁wo rds"]) == "▁"


@pytest.mark.parametrize(
    "lines", [[], [""], ["write to me@@ or @@ once", *["a common line of text"] * 50], ["@@ @@ 5"]]
)
def test_other_text_is_not(lines: list[str]) -> None:
    assert subword_mark(lines) is None


def test_it_is_noted_for_each_side_and_split() -> None:
    pairs = {"train": Pairs(["a b"] * 3, CUT), "valid": Pairs(["a b"] * 3, ["c d"] * 3)}
    splits = read_splits(Corpus("cut", "en", "de", {name: partial(pairs.__getitem__, name) for name in pairs}))
    assert [note.partition(" is cut")[0] for note in splits.notes] == ["train: the target"]
    assert not read_splits(read_corpus({"reader": "tiny"})).notes
