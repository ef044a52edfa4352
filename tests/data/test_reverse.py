"""The generated corpus: every pair is correct and aligned, and no sentence repeats."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heed.data.reverse import reverse
from heed.errors import UserError


@given(seed=st.integers(0, 100), min_len=st.integers(3, 6), longer=st.integers(0, 5))
def test_every_target_is_its_source_reversed_with_the_anti_diagonal_as_gold(
    seed: int, min_len: int, longer: int
) -> None:
    pairs = reverse(train=20, valid=5, test=5, min_len=min_len, max_len=min_len + longer, seed=seed).read("train")
    assert pairs.gold is not None
    for src, tgt, gold in zip(pairs.src, pairs.tgt, pairs.gold, strict=True):
        digits = src.split()
        assert min_len <= len(digits) <= min_len + longer
        assert tgt.split() == digits[::-1]
        links = [tuple(map(int, link.split("-"))) for link in gold.split()]
        assert links == [(i, len(digits) - 1 - i) for i in range(len(digits))]


def test_splits_have_their_sizes_and_share_no_source() -> None:
    """Catches a test split that training has seen."""
    corpus = reverse(train=500, valid=100, test=200)
    sources = {split: corpus.read(split).src for split in ("train", "valid", "test")}
    assert {split: len(lines) for split, lines in sources.items()} == {"train": 500, "valid": 100, "test": 200}
    assert len({src for lines in sources.values() for src in lines}) == 800


def test_lengths_vary() -> None:
    """Catches a corpus of one length, with which padding and masks are never tested."""
    lengths = {len(src.split()) for src in reverse().read("train").src}
    assert lengths == set(range(3, 13))


def test_the_seed_decides() -> None:
    assert reverse().read("train") == reverse().read("train")
    assert reverse(seed=2).read("train") != reverse().read("train")


def test_the_size_of_one_split_changes_no_earlier_one() -> None:
    assert reverse(train=50, test=10).read("train") == reverse(train=50, test=99).read("train")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"train": -1}, "corpus.train=-1: expected 0 pairs or more"),
        ({"min_len": 0}, "corpus.min_len=0 and corpus.max_len=12: expected 1 <= min_len"),
        ({"min_len": 9, "max_len": 8}, "corpus.min_len=9 and corpus.max_len=8"),
        ({"max_len": 10**9}, "corpus.max_len=1000000000: .* <= 100"),
        ({"train": 10**9}, "give at most 1000000"),
        ({"max_len": 4}, "11500 pairs of at most 4 digits are too many to be different; give at most 5000"),
    ],
)
def test_what_cannot_be_generated_is_refused(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        reverse(**wrong)  # type: ignore[arg-type]


def test_a_split_of_no_pairs_does_not_exist() -> None:
    with pytest.raises(UserError, match=r"set corpus\.test="):
        reverse(test=0).read("test")
