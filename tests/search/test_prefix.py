import pytest
import torch

from heed.search.beam import beam
from heed.search.greedy import greedy
from heed.search.prefix import Prefix
from heed.search.sample import sample
from tests.support.models import BOS, EOS, sentences
from tests.support.search import A, B, C, D, Table, rescored, talker

LENGTHS = [6, 1, 4, 2]
FREE = torch.zeros(12, dtype=torch.bool)


def test_the_best_continuation_of_the_prefix_is_found() -> None:
    """Catches a prefix that is missing in the score, and impossible subwords that take places in the beam."""
    model = Table(
        {
            BOS: {A: 0.9, B: 0.1},
            A: {EOS: 1.0},
            B: {C: 0.6, D: 0.4},
            C: {EOS: 0.3, A: 0.7},
            D: {EOS: 1.0},
        }
    )
    prefix = Prefix.of([[B]], FREE)
    (several,) = beam(model, *sentences([4]), BOS, EOS, 6, beam_size=3, length_penalty=0.0, prefix=prefix)
    expected = {(B, C, A): 0.1 * 0.6 * 0.7, (B, D): 0.1 * 0.4, (B, C): 0.1 * 0.6 * 0.3}
    assert [tuple(one.ids) for one in several] == [*expected]
    for one in several:
        assert one.score == pytest.approx(torch.tensor(expected[tuple(one.ids)]).log().item(), abs=1e-5)
    (one,) = greedy(model, *sentences([4]), BOS, EOS, 6, prefix=prefix)
    assert one.ids == [B, C, A]


def test_the_last_word_of_a_prefix_is_not_lengthened() -> None:
    """Catches a lengthened last word, and its subwords ruled out in the prefix, later, or without a prefix."""
    model = Table({BOS: {A: 1.0}, A: {B: 0.9, C: 0.1}, B: {EOS: 1.0}, C: {B: 0.8, EOS: 0.2}})
    lengthens = FREE.clone()
    lengthens[[A, B]] = True
    src, src_len = sentences([4, 4])
    prefixed, free = greedy(model, src, src_len, BOS, EOS, 6, prefix=Prefix.of([[A], []], lengthens))
    assert prefixed.ids == [A, C, B]
    assert free.ids == [A, B]


@pytest.mark.parametrize("search", [greedy, beam, sample])
def test_prefixes_of_any_length_may_be_in_one_batch(search: object) -> None:
    """Catches a row's prefix applied to its neighbour when sentences leave the batch, and rows of attention lost."""
    assert callable(search)
    model = talker()
    src, src_len = sentences(LENGTHS)
    ids = [[4, 5, 6], [], [7], [8, 4]]
    together = search(model, src, src_len, BOS, EOS, 12, prefix=Prefix.of(ids, FREE))
    for i, found in enumerate(together):
        alone = search(
            model,
            src[i : i + 1, : LENGTHS[i]],
            src_len[i : i + 1],
            BOS,
            EOS,
            12,
            prefix=Prefix.of(ids[i : i + 1], FREE),
        )[0]
        for one, other in zip(*(each if isinstance(each, list) else [each] for each in (found, alone)), strict=True):
            assert one.ids == other.ids
            assert one.ids[: len(ids[i])] == ids[i]
            score, attention = rescored(model, src[i : i + 1, : LENGTHS[i]], src_len[i : i + 1], one)
            norm = (5 + len(attention)) / 6 if search is beam else 1.0
            assert one.score == pytest.approx(score / norm, abs=1e-4)
            torch.testing.assert_close(one.attention, attention, rtol=0, atol=1e-5)


def test_empty_prefixes_change_nothing() -> None:
    """Catches a search whose results change with a prefix of no subwords."""
    model, batch = talker(), sentences(LENGTHS)
    for search in (greedy, beam, sample):
        plain = search(model, *batch, BOS, EOS, 12)
        forced = search(model, *batch, BOS, EOS, 12, prefix=Prefix.of([[]] * len(LENGTHS), FREE))
        assert str(plain) == str(forced)
