"""Subword sampling: possible draws, their frequencies, and reproducibility."""

from collections import Counter
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heed.errors import UserError
from heed.text.sampling import LONGEST_WORD, SLOTS, Segmentations, check_kind, join, sample
from heed.text.subwords import Kind, Subwords

LINES = ["a dog runs across the green field .", "the dogs and the cats run and sleep in the fields"] * 5
LETTERS = "".join(sorted(set("".join(LINES)) - {" "}))
KINDS: tuple[Kind, ...] = ("unigram", "bpe")
MANY = 200
"""How often some tests repeat a word in a list, to get more draws of it."""


@cache
def trained(kind: Kind, byte_fallback: bool = False) -> Subwords:
    return Subwords.train(LINES, kind, 320 if byte_fallback else 50, byte_fallback=byte_fallback)


def drawn(found: Segmentations, word: int) -> list[tuple[int, ...]]:
    return [tuple(found.pieces.row(row).tolist()) for row in found.slots[word].tolist()]


def shares(found: Segmentations) -> dict[tuple[int, ...], float]:
    counts = Counter(one for word in range(len(found.slots)) for one in drawn(found, word))
    return {one: count / counts.total() for one, count in counts.items()}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(word=st.text(alphabet=LETTERS + "☃字", min_size=1))
def test_whatever_is_drawn_spells_the_word(kind: Kind, word: str) -> None:
    """Catches a letter lost or doubled where two subwords meet, and rows of one word given to another."""
    subwords = trained(kind)
    found = sample(subwords, kind, ["the", word, "dogs"], 0.3, [1])
    for number, expected in enumerate(["the", word, "dogs"]):
        spelt = {subwords.decode(one) for one in drawn(found, number)}
        assert spelt == {subwords.decode(subwords.encode(expected))}


@settings(max_examples=40)
@given(word=st.text(alphabet=LETTERS, min_size=1))
def test_without_dropout_merges_are_those_of_sentencepiece(word: str) -> None:
    """Catches merges in another order, and wrong neighbours after a merge."""
    assert set(drawn(sample(trained("bpe"), "bpe", [word], 0.0, [1]), 0)) == {tuple(trained("bpe").encode(word))}


def test_with_every_merge_left_out_letters_remain() -> None:
    subwords = trained("bpe")
    (letters,) = set(drawn(sample(subwords, "bpe", ["dogs"], 1.0, [1]), 0))
    assert subwords.pieces(letters) == ["▁", "d", "o", "g", "s"]


def test_a_merge_is_left_out_as_often_as_alpha_says() -> None:
    """Catches a share that is mistaken for its complement, or drawn once for all draws of a word."""
    subwords = trained("bpe")
    assert len(subwords.encode("a")) == 1
    (whole,) = [
        share for one, share in shares(sample(subwords, "bpe", ["a"] * MANY, 0.3, [1])).items() if len(one) == 1
    ]
    assert whole == pytest.approx(0.7, abs=0.02)  # of 12,800 draws: five standard deviations


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_unigram_draws_each_segmentation_as_often_as_its_probability_says(alpha: float) -> None:
    """Catches a segmentation weighted by its last subword alone, an ignored alpha, and one that is never drawn."""
    subwords = trained("unigram")
    pieces = {subwords.pieces([i])[0]: i for i in range(4, len(subwords))}
    weights = {ids: np.exp(alpha * sum(subwords.scores[i] for i in ids)) for ids in every_division("▁fields", pieces)}
    assert len(weights) == 3
    found = shares(sample(subwords, "unigram", ["fields"] * MANY, alpha, [1]))
    for ids, weight in weights.items():
        assert found.get(ids, 0.0) == pytest.approx(weight / sum(weights.values()), abs=0.025)
    assert found.keys() <= weights.keys()


def every_division(word: str, pieces: dict[str, int]) -> list[tuple[int, ...]]:
    """Every way to cut the word into known subwords, by trying all."""
    ways = []
    for cuts in range(2 ** (len(word) - 1)):
        places = [0, *(place for place in range(1, len(word)) if cuts >> (place - 1) & 1), len(word)]
        parts = [word[start:end] for start, end in pairwise(places)]
        if all(part in pieces for part in parts):
            ways.append(tuple(pieces[part] for part in parts))
    return ways


def test_unigram_with_a_large_alpha_draws_the_best_segmentation() -> None:
    subwords = trained("unigram")
    words = sorted({word for line in LINES for word in line.split()})
    found = sample(subwords, "unigram", words, 1000.0, [1])
    for number, word in enumerate(words):
        assert set(drawn(found, number)) == {tuple(subwords.encode(word))}


@pytest.mark.parametrize("kind", KINDS)
def test_draws_are_a_function_of_the_seed(kind: Kind) -> None:
    """Catches a random generator of the process or of a thread, which a resumed run could not restore."""
    words = ["dogs", "across", "fields", "sleep"]
    one, same, other = (sample(trained(kind), kind, words, 0.3, [seed]) for seed in (1, 1, 2))
    assert [drawn(one, word) for word in range(4)] == [drawn(same, word) for word in range(4)]
    assert [drawn(one, word) for word in range(4)] != [drawn(other, word) for word in range(4)]
    assert len(drawn(one, 0)) == SLOTS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("word", ["☃", "do☃gs", "\ufeff", "dogs" * 16, "\ufdfa"])
def test_a_word_that_cannot_be_sampled_keeps_its_best_segmentation(kind: Kind, word: str) -> None:
    """Catches separated bytes, an unknown character that stops the run, and a word that is too long to sample."""
    assert len(trained(kind).spelling("dogs" * 16)) > LONGEST_WORD
    for subwords in (trained(kind), trained(kind, byte_fallback=True)):
        (only,) = set(drawn(sample(subwords, kind, ["dogs", word], 0.3, [1]), 1))
        assert list(only) == subwords.encode_each([word])[0]


@pytest.mark.parametrize("kind", ["char", "word"])
def test_a_kind_with_only_one_segmentation_is_reported(kind: Kind) -> None:
    """Catches a setting that silently does nothing."""
    with pytest.raises(UserError, match=f"subword_sampling=0.2 needs subwords=unigram or bpe; {kind} has no"):
        check_kind(kind, 0.2)


def test_words_sampled_in_parts_are_joined() -> None:
    """Catches a word of a later part that gets the draws of a word of the first part."""
    subwords, words = trained("unigram"), ["dogs", "across", "fields", "sleep", "runs"]
    parts = [sample(subwords, "unigram", part, 0.3, [1]) for part in (words[:2], words[2:3], words[3:])]
    joined = join(parts)
    expected = [drawn(part, word) for part in parts for word in range(len(part.slots))]
    assert [drawn(joined, word) for word in range(len(words))] == expected
