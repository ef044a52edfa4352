"""Repeated runs of subwords are blocked."""

from collections.abc import Sequence

import pytest
import torch

from heed.search.beam import beam
from heed.search.greedy import greedy
from heed.search.prefix import Prefix
from heed.search.sample import sample
from tests.support.models import BOS, EOS, sentences
from tests.support.search import A, B, C, Table, rescored, talker

LENGTHS = [6, 1, 4, 2]
FREE = torch.zeros(12, dtype=torch.bool)


def repeats(ids: Sequence[int], size: int) -> bool:
    runs = [tuple(ids[start : start + size]) for start in range(len(ids) - size + 1)]
    return len(set(runs)) < len(runs)


@pytest.mark.parametrize("search", [greedy, beam, sample])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_run_is_written_twice(search: object, size: int) -> None:
    """Catches a row that is blocked because of another row's subwords, and scores that are not the model's own."""
    assert callable(search)
    model, repeated = talker(), 0
    src, src_len = sentences(LENGTHS)
    for i, found in enumerate(search(model, src, src_len, BOS, EOS, 12, no_repeat_ngram=size)):
        for one in found if isinstance(found, list) else [found]:
            assert not repeats(one.ids, size)
            score, attention = rescored(model, src[i : i + 1, : LENGTHS[i]], src_len[i : i + 1], one)
            assert one.score == pytest.approx(score / ((5 + len(attention)) / 6 if search is beam else 1.0), abs=1e-4)
            torch.testing.assert_close(one.attention, attention, rtol=0, atol=1e-5)
    for found in search(model, src, src_len, BOS, EOS, 12):
        repeated += any(repeats(one.ids, size) for one in (found if isinstance(found, list) else [found]))
    assert repeated or size > 1


def test_the_next_best_subword_is_written_instead() -> None:
    """Catches a translation that ends where it would repeat itself, and a subword that is blocked too early."""
    model = Table({BOS: {A: 1.0}, A: {B: 0.6, C: 0.3, EOS: 0.1}, B: {A: 0.9, EOS: 0.1}, C: {EOS: 1.0}})
    (found,) = greedy(model, *sentences([4]), BOS, EOS, 9, no_repeat_ngram=2)
    assert found.ids == [A, B, A, C]
    several = beam(model, *sentences([4]), BOS, EOS, 9, beam_size=4, length_penalty=0.0, no_repeat_ngram=1)[0]
    assert [tuple(one.ids) for one in several] == [(A, C), (A,), (A, B)]
    assert torch.tensor([one.score for one in several]).exp().tolist() == pytest.approx([0.3, 0.1, 0.06], abs=1e-5)


@pytest.mark.parametrize("search", [greedy, beam, sample])
def test_a_prefix_may_repeat_itself(search: object) -> None:
    """Catches a forced subword that is ruled out too, after which nothing is possible."""
    assert callable(search)
    model = Table({BOS: {A: 0.5, B: 0.5}, A: {A: 0.6, B: 0.3, EOS: 0.1}, B: {EOS: 1.0}})
    prefix = Prefix.of([[A, A, A], [B]], FREE)
    three, one = search(model, *sentences([4, 4]), BOS, EOS, 9, no_repeat_ngram=2, prefix=prefix)
    for found, ids in ((three, ([A, A, A, B], [A, A, A])), (one, ([B],))):
        assert (found[0] if isinstance(found, list) else found).ids in ids


@pytest.mark.parametrize("search", [greedy, beam, sample])
def test_a_size_of_zero_is_refused(search: object) -> None:
    """Catches a setting of 0 that blocks everything, or nothing silently."""
    assert callable(search)
    with pytest.raises(ValueError, match="no_repeat_ngram=0, expected 1 or more"):
        search(talker(), *sentences([4]), BOS, EOS, 9, no_repeat_ngram=0)
