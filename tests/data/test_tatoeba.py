"""Tatoeba, from a small archive of the same name, divided so that no test sentence is used for training."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heed.data import tatoeba as module
from heed.data.readers import read_corpus
from heed.data.tatoeba import ARCHIVE, TABLE, divide
from heed.errors import UserError

PAIRS = [(f"Sentence {number % 60}.", f"Phrase {number // 2} !") for number in range(100)]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with zipfile.ZipFile(tmp_path / ARCHIVE, "w") as file:
        file.writestr(TABLE, "".join(f"{english}\t{french}\n" for english, french in PAIRS))
    digest = hashlib.sha256((tmp_path / ARCHIVE).read_bytes()).hexdigest()
    monkeypatch.setattr(module, "DIGESTS", {ARCHIVE: digest})
    return tmp_path


def test_both_directions_are_the_same_pairs(root: Path) -> None:
    """Catches sides that are exchanged, in one direction only."""
    sizes = {"valid": 5, "test": 7}
    one, other = (
        read_corpus({"reader": "tatoeba", "root": str(root), "pair": pair, **sizes}) for pair in ("en-fr", "fr-en")
    )
    for split in ("train", "valid", "test"):
        pairs, turned = one.read(split), other.read(split)
        assert set(zip(pairs.src, pairs.tgt, strict=True)) <= set(PAIRS)
        assert (pairs.src, pairs.tgt) == (turned.tgt, turned.src)
    assert (len(one.read("valid")), len(one.read("test"))) == (5, 7)


def test_other_translations_are_further_references(root: Path) -> None:
    """Catches translations that count as wrong although the corpus has them, and those of another sentence."""
    one, other = (
        read_corpus({"reader": "tatoeba", "root": str(root), "pair": pair, "valid": 20, "test": 20})
        for pair in ("en-fr", "fr-en")
    )
    test = one.read("test")
    for number, english in enumerate(test.src):
        known = [text for text in (test.tgt[number], *(lines[number] for lines in test.further)) if text is not None]
        assert known == list(dict.fromkeys(french for source, french in PAIRS if source == english))
    assert any(lines[0] is not None for lines in test.further)
    assert (other.read("test").further, one.read("train").further) == ((), ())


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=60), st.integers(0, 5), st.integers(0, 5))
def test_no_sentence_of_the_test_split_is_used_for_training(
    numbers: list[tuple[int, int]], valid: int, test: int
) -> None:
    """Catches a leak through another translation, another spelling, or the other side."""
    pairs = [(f"word {a}{'.!'[a % 2]}", f"Mot {b}") for a, b in numbers] + [
        (f"Word {a}", f"mot {b} ?") for a, b in numbers
    ]
    sizes = {"valid": valid, "test": test}
    train, held, measured = (divide(pairs, sizes, split)[0] for split in ("train", "valid", "test"))

    def words(side: int, chosen: list[tuple[str, str]]) -> set[str]:
        return {pair[side].lower().strip(".!? ") for pair in chosen}

    assert not words(0, train) & (words(0, held) | words(0, measured))
    assert not words(1, train) & (words(1, held) | words(1, measured))
    assert not words(0, held) & words(0, measured)
    assert len(measured) == len(words(0, measured)) == min(test, len(words(0, pairs)))


def test_the_note_counts_what_is_left_out(root: Path) -> None:
    """Catches pairs that vanish silently."""
    train = read_corpus({"reader": "tatoeba", "root": str(root), "valid": 5, "test": 7}).read("train")
    [note] = train.notes
    numbers = [int(word) for word in note.replace(",", "").split() if word.isdecimal()]
    assert numbers[0] == len(train)
    assert numbers[0] + sum(numbers[2:]) == numbers[1] == len(PAIRS)


def test_another_file_is_refused(root: Path) -> None:
    """Catches an archive that differs from the published one."""
    (root / ARCHIVE).write_bytes(b"something else")
    with pytest.raises(UserError, match=r"fra-eng\.zip is not the published file"):
        read_corpus({"reader": "tatoeba", "root": str(root)}).read("train")


@pytest.mark.parametrize("sizes", [{"valid": -1}, {"test": 60_000}])
def test_impossible_sizes_are_refused_in_one_line(sizes: dict[str, int]) -> None:
    """Catches a test split that takes all of the corpus."""
    with pytest.raises(UserError, match="expected 0 or more, 50,000 together at most"):
        read_corpus({"reader": "tatoeba", **sizes})
