import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from heed.metrics.attention import ATTENDED, Health, advice, health, mean_health


def pointing(positions: list[int], columns: int) -> Tensor:
    """Attention with exactly one position in each row."""
    return torch.eye(columns)[positions]


def random_attention(tgt: int, src: int, seed: int, sharpness: float = 1.0) -> Tensor:
    return (sharpness * torch.randn(tgt, src, generator=torch.Generator().manual_seed(seed))).softmax(dim=1)


def test_word_for_word() -> None:
    assert health(pointing([0, 1, 2, 3], 5)) == Health(
        entropy=0.0,
        normalised_entropy=0.0,
        eos_share=0.0,
        coverage=1.0,
        monotonicity=1.0,
        sharpness=1.0,
        tgt_len=4,
        src_len=4,
    )


def test_uniform_attention_has_the_entropy_of_its_length() -> None:
    """Catches logarithms of base 2, and normalisation by the number of rows."""
    found = health(torch.full((3, 8), 1 / 8))
    assert found.entropy == pytest.approx(math.log(8))
    assert found.normalised_entropy == pytest.approx(1.0)
    assert found.eos_share == found.sharpness == pytest.approx(1 / 8)
    assert found.monotonicity == 0.0


def test_by_hand() -> None:
    """Two rows over three words and </s>."""
    found = health(torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.25, 0.05, 0.0, 0.7]]))
    first, second = math.log(2), -(0.25 * math.log(0.25) + 0.05 * math.log(0.05) + 0.7 * math.log(0.7))
    assert found.entropy == pytest.approx((first + second) / 2)
    assert found.normalised_entropy == pytest.approx((first + second) / 2 / math.log(4))
    assert found.eos_share == pytest.approx(0.35)
    assert found.coverage == pytest.approx(2 / 3)
    assert found.sharpness == pytest.approx(0.6)
    assert (found.tgt_len, found.src_len) == (2, 3)


def test_reversed_and_crossed_and_stuck() -> None:
    """Tau is 1 - 2 * swapped / pairs. Catches a measure by which attention that never moves is monotone."""
    assert health(pointing([3, 2, 1, 0], 5)).monotonicity == -1.0
    assert health(pointing([0, 2, 1, 3], 5)).monotonicity == pytest.approx(1 - 2 / 6)
    assert health(pointing([2, 2, 2, 2], 5)).monotonicity == 0.0
    assert health(pointing([4, 4, 4, 4], 5)).monotonicity == 0.0


def test_attending_to_eos_is_not_a_step_back() -> None:
    """A word without a counterpart attends to </s>; its next best word decides, so the order is kept."""
    weights = torch.tensor([[0.9, 0.1, 0.0, 0.0], [0.0, 0.2, 0.0, 0.8], [0.0, 0.0, 1.0, 0.0]])
    assert health(weights).monotonicity == 1.0


def test_coverage_starts_at_its_threshold() -> None:
    assert health(torch.tensor([[ATTENDED, 1 - ATTENDED]], dtype=torch.float64)).coverage == 1.0
    assert health(torch.tensor([[ATTENDED - 1e-6, 1 - ATTENDED]], dtype=torch.float64)).coverage == 0.0
    assert health(pointing([0, 1, 0, 1], 5)).coverage == pytest.approx(2 / 4)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_every_number_stays_in_its_range(tgt: int, src: int, seed: int) -> None:
    found = health(random_attention(tgt, src, seed, sharpness=5.0))
    assert 0.0 <= found.entropy <= math.log(src) + 1e-6
    shares = (found.normalised_entropy, found.eos_share, found.coverage, found.sharpness)
    assert all(0.0 <= share <= 1.0 + 1e-6 for share in shares)
    assert -1.0 <= found.monotonicity <= 1.0


def test_degenerate_sentences_have_numbers() -> None:
    """Catches NaN, which one empty hypothesis would spread over a whole corpus."""
    nothing = health(torch.zeros(0, 4))
    assert nothing == Health(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 3)
    assert health(torch.ones(2, 1)) == Health(0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 2, 0)
    assert health(torch.tensor([[0.3, 0.7]])).monotonicity == 0.0
    with pytest.raises(ValueError, match="has no columns"):
        health(torch.zeros(2, 0))


def test_half_precision_and_gradients_are_accepted() -> None:
    weights = random_attention(4, 6, seed=0)
    found = health(weights.to(torch.bfloat16).requires_grad_())
    assert found.entropy == pytest.approx(health(weights).entropy, abs=0.02)


def test_the_mean_of_a_corpus_counts_every_word_alike() -> None:
    """One word with uniform attention and three words with sharp attention: catches a mean over sentences."""
    uniform, sharp = health(torch.full((1, 4), 0.25)), health(pointing([0, 1, 0], 3))
    found = mean_health([uniform, sharp])
    assert found.entropy == pytest.approx(math.log(4) / 4)
    assert found.sharpness == pytest.approx((0.25 + 3) / 4)
    assert found.coverage == pytest.approx((3 * 1.0 + 2 * 1.0) / 5)
    assert found.monotonicity == sharp.monotonicity == 0.0
    assert (found.tgt_len, found.src_len) == (4, 5)


def test_monotonicity_is_weighted_by_steps() -> None:
    """Two steps forward and one step back: catches a weight for words that no other word follows."""
    forward, back, single = (health(pointing(positions, 4)) for positions in ([0, 1, 2], [1, 0], [2]))
    assert mean_health([forward, back, single]).monotonicity == pytest.approx((2 * 1.0 + 1 * -1.0) / 3)


def test_the_mean_of_one_is_itself_and_of_none_is_nothing() -> None:
    one = health(random_attention(5, 7, seed=1))
    assert mean_health([one]) == pytest.approx(one)
    assert mean_health([]) == Health(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0)


def test_empty_hypotheses_affect_only_coverage() -> None:
    one = health(pointing([0, 1, 2], 4))
    found = mean_health([one, health(torch.zeros(0, 4))])
    assert found.entropy == one.entropy
    assert found.monotonicity == one.monotonicity
    assert found.coverage == pytest.approx(0.5)


def test_attention_that_has_formed_needs_no_advice() -> None:
    assert advice(mean_health([health(random_attention(8, 9, seed, sharpness=4.0)) for seed in range(20)])) is None
    assert advice(health(pointing([3, 2, 1, 0], 5))) is None, "reversed order is an order"


@pytest.mark.parametrize(
    ("weights", "because"),
    [
        (torch.full((6, 10), 0.1), "100% of that of uniform"),
        (random_attention(8, 20, seed=0, sharpness=0.3), "of that of uniform"),
        (pointing([9, 9, 9, 0, 1, 9], 10), "67% of it is on </s>"),
        (pointing([3, 3, 3, 3, 3, 3], 10), "only 11% of the source words"),
    ],
)
def test_attention_that_has_not_formed_gets_one_line(weights: Tensor, because: str) -> None:
    line = advice(health(weights))
    assert line is not None
    assert line.startswith("attention has not formed")
    assert because in line
    assert "what usually helps" in line
    assert "\n" not in line


def test_no_words_no_advice() -> None:
    assert advice(mean_health([])) is None
