"""Alternatives of a model with known probabilities."""

from typing import Any

import pytest
import torch

from heed.search.alternatives import LONGEST_WORD, next_words
from tests.support.models import BOS, EOS
from tests.support.search import A, B, C, D, Table

TABLE = {
    BOS: {A: 0.5, C: 0.25, EOS: 0.15, B: 0.1},
    A: {B: 0.6, C: 0.3, EOS: 0.1},
    B: {C: 0.7, EOS: 0.3},
    C: {A: 0.9, EOS: 0.1},
}
OPENS = torch.tensor([piece in (A, C) for piece in range(12)])


def found(prefix: list[int], count: int, opens: torch.Tensor = OPENS) -> list[tuple[list[int], Any]]:
    words = next_words(Table(TABLE), torch.tensor([[A, EOS]]), prefix, opens, BOS, EOS, count)
    return [(word.ids, pytest.approx(word.probability)) for word in words]


def test_words_are_whole_and_ranked_by_the_probability_of_all_their_subwords() -> None:
    """Catches a word that is cut after its first subword, and one that is ranked by it."""
    assert found([], 4) == [([A, B], 0.3), ([C], 0.25), ([], 0.15), ([B], 0.1)]


def test_after_a_prefix_a_new_word_begins() -> None:
    """Catches subwords that would lengthen the word before."""
    assert found([A], 2) == [([C], 0.3), ([], 0.1)]
    assert found([A, B], 2) == [([C], 0.7), ([], 0.3)]


def test_if_every_subword_is_a_word_alternatives_are_subwords() -> None:
    """Catches text without spaces whose rest becomes one word."""
    every = torch.ones(12, dtype=torch.bool)
    assert found([A], 3, every) == [([B], 0.6), ([C], 0.3), ([], 0.1)]


def test_a_word_without_an_end_ends() -> None:
    """Catches a model that repeats a subword forever."""
    endless = Table({BOS: {A: 1.0}, A: {D: 1.0}, D: {D: 1.0}})
    (word,) = next_words(endless, torch.tensor([[A, EOS]]), [], OPENS, BOS, EOS, 1)
    assert word.ids == [A, *[D] * (LONGEST_WORD - 1)]


def test_no_more_words_than_the_vocabulary_has() -> None:
    """Catches an error if more words are requested than the vocabulary has."""
    assert len(found([A], 100)) == 3
    assert len(found([], 100)) == 12
