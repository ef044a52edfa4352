"""Text that is already divided into subwords is recognised, and other text is not."""

import subprocess
from functools import partial

import pytest

from heed.data.corpus import Corpus, Pairs
from heed.data.marks import is_tokenised, mark_note, notes, subword_mark
from heed.data.prepared import read_splits
from heed.data.readers import read_corpus

CUT = ["the un@@ known wo@@ rds", "are jo@@ ined", "here"]


def test_each_mark_is_noticed() -> None:
    """Catches scores of subwords that a reader takes for scores of words."""
    assert subword_mark(CUT) == "@@"
    assert subword_mark(["▁the ▁un known", "▁wo rds"]) == "▁"
    assert subword_mark(["the un ##known wo ##rds"]) == "##"
    assert subword_mark(["the un ￭known words ￭."]) == "￭"
    assert subword_mark(["the</w> un known</w>"]) == "</w>"


def test_the_advice_joins_the_subwords() -> None:
    """Catches advice that leaves a mark, or joins words."""
    for cut in (
        "the un@@ known words",
        "the un ##known words",
        "the un ￭known words",
        "the</w> un known</w> words</w>",
    ):
        mark = subword_mark([cut])
        assert mark is not None
        command = mark_note("test", mark).partition("join them with ")[2]
        joined = subprocess.run(command, shell=True, input=f"{cut}\n", capture_output=True, text=True, check=True)
        assert joined.stdout == "the unknown words\n"


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [""],
        ["write to me@@ or @@ once", *["a common line of text"] * 50],
        ["@@ @@ 5"],
        ["## Heading", "### 2"],
        ["a #hash ##"],
    ],
)
def test_other_text_has_no_mark(lines: list[str]) -> None:
    assert subword_mark(lines) is None


def test_marks_are_noted_for_each_side_and_split() -> None:
    pairs = {"train": Pairs(["a b"] * 3, CUT), "valid": Pairs(["a b"] * 3, ["c d"] * 3)}
    splits = read_splits(Corpus("cut", "en", "de", {name: partial(pairs.__getitem__, name) for name in pairs}))
    assert [note.partition(" is already divided")[0] for note in splits.notes] == ["train: the target"]
    assert not read_splits(read_corpus({"reader": "tiny"})).notes


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["il dort ."] * 10, True),
        ([*["il dort ."] * 11, *["il dort."] * 10, *["non"] * 100], True),
        (["il dort ."] * 9, False),
        ([*["il dort ."] * 10, *["il dort."] * 10], False),
        (["dort-il ?", "non !"] * 100, False),  # French text as people type it
        (["他 睡 。"] * 100, False),
        (["."] * 100, False),
        ([], False),
    ],
)
def test_tokenised_text_is_noticed(lines: list[str], expected: bool) -> None:
    """Catches a note about text as people type it, and a missing note about a test set prepared for other tools."""
    assert is_tokenised(lines) is expected


def test_a_text_has_one_note() -> None:
    """Catches advice to detokenise subwords, and a tokenised text without a warning."""
    assert [note[:30] for note in notes("train", ["the un@@ known ."] * 50)] == ["train is already divided into "]
    assert [note[:30] for note in notes("train", ["he sleeps ."] * 50)] == ["train is tokenised (there is a"]
    assert not list(notes("train", ["he sleeps."] * 50))


def test_a_text_that_is_not_scored_has_another_reason() -> None:
    """Catches a note that mentions BLEU for a source, which is not scored."""
    [note] = notes("train: the source", ["he sleeps ."] * 50, scored=False)
    assert "plain text will be translated worse" in note
    assert "BLEU" not in note
