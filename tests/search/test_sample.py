from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from heed.search.greedy import greedy
from heed.search.sample import among, draw, sample
from tests.support.models import BOS, EOS, sentences
from tests.support.search import A, B, C, D, Table, rescored, talker

LENGTHS = [6, 1, 4, 2, 5, 3]
CRITICAL = {2: 13.8, 3: 16.3}
"""Chi-square by degrees of freedom, exceeded once in 1,000 times; the seeds are fixed."""


def chi_square(counts: Counter[int], expected: dict[int, float]) -> float:
    total = sum(counts.values())
    assert set(counts) <= set(expected)
    return sum((counts[word] - total * share) ** 2 / (total * share) for word, share in expected.items())


@pytest.mark.parametrize("almost_greedy", [{"temperature": 1e-4}, {"top_k": 1}, {"top_p": 1e-6}])
def test_with_almost_no_randomness_it_is_greedy(almost_greedy: dict[str, Any]) -> None:
    """Catches a temperature that multiplies, and a set of words that lacks the most probable one."""
    model = talker(5)
    expected = greedy(model, *sentences(LENGTHS), BOS, EOS)
    for (drawn,), best in zip(sample(model, *sentences(LENGTHS), BOS, EOS, **almost_greedy), expected, strict=True):
        assert drawn.ids == best.ids
        assert drawn.score == pytest.approx(best.score, abs=1e-4)
        torch.testing.assert_close(drawn.attention, best.attention, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("settings_of_search", "expected"),
    [
        ({}, {A: 0.5, B: 0.3, C: 0.15, D: 0.05}),
        ({"temperature": 0.5}, {A: 0.25 / 0.365, B: 0.09 / 0.365, C: 0.0225 / 0.365, D: 0.0025 / 0.365}),
        ({"top_k": 3}, {A: 0.5 / 0.95, B: 0.3 / 0.95, C: 0.15 / 0.95}),
        ({"top_p": 0.9}, {A: 0.5 / 0.95, B: 0.3 / 0.95, C: 0.15 / 0.95}),
    ],
)
def test_words_come_as_often_as_they_should(settings_of_search: dict[str, Any], expected: dict[int, float]) -> None:
    """Catches draws that are not independent, a wrong exponent, and probabilities that are not renormalised."""
    ends = {word: {EOS: 1.0} for word in (A, B, C, D)}
    model = Table({BOS: {A: 0.5, B: 0.3, C: 0.15, D: 0.05}, **ends})
    (drawn,) = sample(model, *sentences([4]), BOS, EOS, n_best=2000, **settings_of_search)
    counts = Counter(one.ids[0] for one in drawn)
    assert chi_square(counts, expected) < CRITICAL[len(expected) - 1]


def test_the_second_word_does_not_depend_on_the_draw_of_the_first() -> None:
    """Catches one random number that is used for all words of a sentence."""
    model = Table({BOS: {A: 0.5, B: 0.5}, A: {C: 0.5, D: 0.5}, B: {C: 0.5, D: 0.5}, C: {EOS: 1.0}, D: {EOS: 1.0}})
    (drawn,) = sample(model, *sentences([4]), BOS, EOS, n_best=2000)
    pairs = [(A, C), (A, D), (B, C), (B, D)]
    counts = Counter(pairs.index((one.ids[0], one.ids[1])) for one in drawn)
    assert chi_square(counts, dict.fromkeys(range(4), 0.25)) < CRITICAL[3]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(0.001, 1.0), min_size=2, max_size=12),
    st.integers(1, 12),
    st.floats(0.05, 1.0),
    st.floats(0.0, 1.0, exclude_max=True),
)
def test_what_is_left_is_the_smallest_set_that_is_enough(
    weights: list[float], top_k: int, top_p: float, uniform: float
) -> None:
    """Catches one word too many or too few, a word of probability 0 that is drawn, and top-p before top-k."""
    probability = torch.tensor([weights], dtype=torch.float64)
    probability /= probability.sum()
    left = among(probability, top_k, top_p)
    kept = left[left > 0]
    best = probability[0].sort(descending=True).values[:top_k]
    best /= best.sum()
    shares = kept.sort(descending=True).values / probability[0].sort(descending=True).values[:top_k].sum()
    assert 1 <= len(kept) <= top_k
    assert float(shares[:-1].sum()) < top_p + 1e-9
    assert top_p == 1.0 or float(shares.sum()) >= min(top_p, float(best.sum())) - 1e-9
    assert torch.equal(left, torch.where(left > 0, probability, 0.0))
    assert float(left[0, draw(left, torch.tensor([uniform], dtype=torch.float64))]) > 0


def ids(src: Tensor, src_len: Tensor, seed: int = 1, n_best: int = 3) -> list[list[list[int]]]:
    found = sample(talker(), src, src_len, BOS, EOS, seed=seed, n_best=n_best)
    return [[one.ids for one in several] for several in found]


def test_other_sentences_order_and_padding_change_nothing_and_the_seed_does() -> None:
    """Catches random numbers that depend on the row: the batch size would change translations."""
    src, src_len = sentences(LENGTHS)
    together = ids(src, src_len)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    shuffled = ids(src[order], src_len[order])
    for i, several in enumerate(together):
        assert ids(src[i : i + 1, : LENGTHS[i]], src_len[i : i + 1]) == [several]
        assert shuffled[order.tolist().index(i)] == several
    assert ids(src, src_len, seed=2) != together
    assert max(len({tuple(one) for one in several}) for several in together) > 1


def test_scores_and_attention_are_the_models_own() -> None:
    """Catches scores from the distribution after temperature and top-k, and attention of another draw."""
    model = talker()
    src, src_len = sentences(LENGTHS)
    drawn = sample(model, src, src_len, BOS, EOS, 12, temperature=0.7, top_k=8, n_best=3)
    for i, several in enumerate(drawn):
        assert [one.score for one in several] == sorted((one.score for one in several), reverse=True)
        for one in several:
            score, attention = rescored(model, src[i : i + 1, : LENGTHS[i]], src_len[i : i + 1], one)
            assert one.score == pytest.approx(score, abs=1e-4)
            torch.testing.assert_close(one.attention, attention, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"temperature": 0.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.1}, {"n_best": 0}, {"max_len": 0}]
)
def test_what_cannot_be_drawn_from_is_reported(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        sample(talker(), *sentences(LENGTHS), BOS, EOS, **wrong)
