"""Error rates of pronunciations, by definition and by properties of the distance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heed.metrics.phonemes import edit_distance, error_rates

PHONEMES = st.lists(st.sampled_from(["K", "AE", "T", "S"]), max_size=6)


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("K AE T", "K AE T", 0), ("", "K AE T", 3), ("K AE T", "AE T S", 2), ("K AA T S", "K AE T", 2)],
)
def test_the_distance_is_the_fewest_edits(one: str, other: str, distance: int) -> None:
    """Catches replacements that count twice, and letters that are counted instead of phonemes."""
    assert edit_distance(one.split(), other.split()) == edit_distance(other.split(), one.split()) == distance


@given(PHONEMES, PHONEMES, PHONEMES)
def test_it_is_a_distance(one: list[str], other: list[str], third: list[str]) -> None:
    """Catches a distance that reads a value of the previous row after it was overwritten."""
    distance = edit_distance(one, other)
    assert (distance == 0) == (one == other)
    assert abs(len(one) - len(other)) <= distance <= max(len(one), len(other))
    assert edit_distance(one, third) <= distance + edit_distance(other, third)
    assert edit_distance([*one, *third], [*other, *third]) <= distance


def test_rates_are_of_the_whole_corpus() -> None:
    """Catches a mean over words, in which short words count as much as long words."""
    rates = error_rates(hypotheses=["K AE T", "T"], references=["K AE T", "T AE S T"])
    assert rates == pytest.approx((100 * 3 / 7, 50))


def test_the_nearest_pronunciation_counts() -> None:
    """Catches a second pronunciation that counts as an error, and the length of another reference than the nearest."""
    rates = error_rates(
        hypotheses=["T AE K", "S"], references=["K AE T S AE", "S"], further=[["T AE K T", None], [None, None]]
    )
    assert rates == pytest.approx((100 * 1 / 5, 50))
    assert error_rates(hypotheses=[" K  AE T "], references=["S"], further=[["K AE T"]]) == (0, 0)
    assert error_rates(hypotheses=["K"], references=[""]).wer == 100
