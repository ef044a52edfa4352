"""Learning-rate and teacher-forcing schedules: end points, monotonicity, and values computed by hand."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heed.errors import UserError
from heed.training import schedules

WARMED_UP = [
    schedules.warmup_constant(10),
    schedules.warmup_inverse_sqrt(10),
    schedules.warmup_cosine(10, 100),
]


@pytest.mark.parametrize("factor", WARMED_UP)
def test_warmup_is_linear_and_reaches_one_with_its_last_update(factor: schedules.Schedule) -> None:
    """Catches a first update with rate 0, which wastes a batch, and a peak that is off by one."""
    assert [factor(step) for step in range(10)] == pytest.approx([(step + 1) / 10 for step in range(10)])


@pytest.mark.parametrize("factor", WARMED_UP)
@given(step=st.integers(0, 10**7))
def test_factor_never_leaves_zero_to_one(factor: schedules.Schedule, step: int) -> None:
    """Catches a rate above the `lr` of the config, and a cosine that rises again after its end."""
    assert 0 <= factor(step) <= 1
    assert factor(step + 11) <= factor(step + 10)


def test_inverse_sqrt_halves_when_steps_quadruple() -> None:
    """Catches decay by 1/step, or by the steps since the warm-up."""
    factor = schedules.warmup_inverse_sqrt(100)
    assert factor(4 * 1000 - 1) == pytest.approx(factor(1000 - 1) / 2)


def test_cosine_passes_its_middle_and_ends_at_final() -> None:
    """Catches a cosine over the wrong span."""
    factor = schedules.warmup_cosine(20, 120, final=0.2)
    assert factor(70) == pytest.approx(0.6)
    assert factor(120) == factor(10_000) == pytest.approx(0.2)


def test_no_warmup_starts_at_one() -> None:
    """Catches a division by zero for a warm-up of no steps."""
    assert schedules.warmup_constant()(0) == schedules.warmup_cosine(0, 5)(0) == 1


def test_linear_teacher_forcing_starts_and_ends_as_set() -> None:
    """Catches a ratio that falls below `end`."""
    ratio = schedules.linear(1.0, 0.25, 100)
    assert [ratio(0), ratio(50), ratio(100), ratio(1000)] == pytest.approx([1.0, 0.625, 0.25, 0.25])


@given(k=st.floats(1, 5000), step=st.integers(0, 10**7))
def test_inverse_sigmoid_is_the_formula_and_does_not_overflow(k: float, step: int) -> None:
    """Catches an overflow of the exponential for a large step."""
    ratio = schedules.inverse_sigmoid(k)(step)
    assert 0 <= ratio <= 1
    if step / k < 700:
        assert ratio == pytest.approx(k / (k + math.exp(step / k)), abs=1e-12)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: schedules.warmup_inverse_sqrt(0), "warmup_steps is 0"),
        (lambda: schedules.warmup_cosine(100, 0), "steps is 0"),
        (lambda: schedules.warmup_cosine(100, None), "steps is null"),
        (lambda: schedules.constant(1.5), "ratio is 1.5"),
        (lambda: schedules.linear(1.0, -0.1, 10), "end is -0.1"),
        (lambda: schedules.inverse_sigmoid(0.5), "k is 0.5"),
    ],
)
def test_values_out_of_range_are_refused_with_their_name(make: Callable[[], schedules.Schedule], said: str) -> None:
    """Catches an impossible setting that is accepted silently."""
    with pytest.raises(UserError, match=said):
        make()
