from collections.abc import Callable, Sequence

import pytest
import torch

from heed.models.seq2seq import Seq2Seq
from heed.search.beam import beam
from heed.search.ensemble import Ensemble
from heed.search.greedy import Hypothesis, greedy
from heed.search.sample import sample
from tests.support.models import BOS, EOS, sentences, targets
from tests.support.search import rescored, talker

LENGTHS = [6, 1, 4, 2]
Search = Callable[..., Sequence[Hypothesis | list[Hypothesis]]]


def different() -> list[Seq2Seq]:
    """Members of different sizes, depths and kinds of attention: only their vocabularies must be the same."""
    return [talker(1), talker(2, score="coverage", hid_dim=10, dec_layers=2), talker(3, score="article")]


def test_one_model_twice_is_that_model() -> None:
    """Catches a mean that is a sum, in scores or in weights."""
    model = talker()
    alone = greedy(model, *sentences(LENGTHS), BOS, EOS, max_len=12)
    twice = greedy(Ensemble([model, model]), *sentences(LENGTHS), BOS, EOS, max_len=12)
    for one, other in zip(alone, twice, strict=True):
        assert one.ids == other.ids
        assert one.score == pytest.approx(other.score, abs=1e-4)
        torch.testing.assert_close(one.attention, other.attention, rtol=0, atol=1e-5)


def test_probabilities_are_averaged_and_weights_too() -> None:
    """Compares with the definition. Catches a mean of logits or of log-probabilities, which is not a distribution."""
    models = different()
    (src, src_len), tgt = sentences(LENGTHS), targets(len(LENGTHS), 5)
    with torch.no_grad():
        each = [model(src, src_len, tgt) for model in models]
        log_probability, weights = Ensemble(models)(src, src_len, tgt)
    mean = torch.stack([logits.softmax(2) for logits, _ in each]).mean(0)
    torch.testing.assert_close(log_probability.exp(), mean, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(weights, torch.stack([attention for _, attention in each]).mean(0))


@pytest.mark.parametrize("search", [greedy, beam, sample])
def test_every_search_uses_all_members(search: Search) -> None:
    """Compares with the whole-sentence pass. Catches a member whose state is not reordered together with the beams."""
    ensemble = Ensemble(different())
    src, src_len = sentences(LENGTHS)
    found = search(ensemble, src, src_len, BOS, EOS, max_len=12)
    for i, several in enumerate(found):
        for one in several if isinstance(several, list) else [several]:
            score, attention = rescored(ensemble, src[i : i + 1, : LENGTHS[i]], src_len[i : i + 1], one)
            norm = (5 + len(attention)) / 6 if search is beam else 1.0
            assert one.score == pytest.approx(score / norm, abs=1e-4)
            torch.testing.assert_close(one.attention, attention, rtol=0, atol=1e-5)
