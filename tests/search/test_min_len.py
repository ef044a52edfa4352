"""The smallest number of subwords that a translation may have."""

from typing import Any

import pytest
import torch

from heed.search.beam import beam
from heed.search.greedy import Hypothesis, greedy
from heed.search.prefix import Prefix
from heed.search.sample import sample
from tests.support.models import BOS, EOS, sentences
from tests.support.search import A, B, Table, rescored, talker

LENGTHS = [6, 1, 4, 2]
SEARCHES = pytest.mark.parametrize("search", [greedy, beam, sample])


def found(search: Any, model: Any, lengths: list[int] = LENGTHS, **settings: Any) -> list[list[Hypothesis]]:
    results = search(model, *sentences(lengths), BOS, EOS, **settings)
    return [one if isinstance(one, list) else [one] for one in results]


@SEARCHES
@pytest.mark.parametrize("min_len", [1, 5, 12])
def test_none_is_shorter_and_scores_are_the_models_own(search: object, min_len: int) -> None:
    """Catches an end that comes one subword too early, and scores from renormalised probabilities."""
    model = talker()
    src, src_len = sentences(LENGTHS)
    for i, several in enumerate(found(search, model, max_len=12, min_len=min_len)):
        for one in several:
            assert min_len <= len(one.ids) <= 12
            assert EOS not in one.ids
            score, attention = rescored(model, src[i : i + 1, : LENGTHS[i]], src_len[i : i + 1], one)
            assert one.score == pytest.approx(score / ((5 + len(attention)) / 6 if search is beam else 1.0), abs=1e-3)
            torch.testing.assert_close(one.attention, attention, rtol=0, atol=1e-4)
    assert any(len(one.ids) < 5 for several in found(search, model, max_len=12) for one in several)


@SEARCHES
def test_a_translation_ends_as_soon_as_it_may(search: object) -> None:
    """Catches an end that is forbidden for one subword too long, for example because EOS is counted."""
    model = Table({BOS: {EOS: 0.9, A: 0.1}, A: {EOS: 0.999999, A: 0.000001}})
    assert [len(several[0].ids) for several in found(search, model, min_len=3, max_len=9)] == [3] * len(LENGTHS)


def test_it_raises_the_limit_of_a_short_source() -> None:
    """Catches the default limit of 40 of a short source if 50 are requested, and a limit without room for EOS."""
    model = Table({BOS: {A: 1.0}, A: {A: 0.4, EOS: 0.6}})
    greedily = [several[0] for several in found(greedy, model, min_len=50)]
    assert [(len(one.ids), len(one.attention)) for one in greedily] == [(50, 51)] * len(LENGTHS)
    assert all(len(one.ids) >= 50 for several in found(beam, model, min_len=50) for one in several)


@SEARCHES
def test_a_prefix_counts(search: object) -> None:
    """Catches a count that begins after the forced subwords, and forced subwords that are ruled out."""
    model = Table({BOS: {A: 0.5, B: 0.5}, A: {EOS: 0.999999, A: 0.000001}, B: {EOS: 0.999999, A: 0.000001}})
    prefix = Prefix.of([[B, A, A], [B]], torch.zeros(12, dtype=torch.bool))
    three, one = found(search, model, [4, 4], min_len=2, max_len=9, prefix=prefix)
    assert (three[0].ids, one[0].ids) == ([B, A, A], [B, A])


@SEARCHES
def test_a_translation_may_end_early_if_only_the_end_is_possible(search: object) -> None:
    """Catches subwords of probability 0, and an empty list, if a model can write nothing but EOS."""
    model = Table({BOS: {A: 1.0}, A: {EOS: 1.0}})
    assert all(several[0].ids == [A] for several in found(search, model, min_len=4, max_len=9))


@SEARCHES
@pytest.mark.parametrize(("min_len", "max_len"), [(0, None), (-3, 9), (10, 9)])
def test_impossible_limits_are_refused(search: object, min_len: int, max_len: int | None) -> None:
    """Catches a limit that silently wins over the other."""
    message = f"min_len must be at least 1 and at most max_len, got min_len={min_len} and max_len={max_len}"
    with pytest.raises(ValueError, match=message):
        found(search, talker(), min_len=min_len, max_len=max_len)
