import pytest
import torch

from heed.search.greedy import greedy, longest
from tests.support.models import BOS, EOS, sentences
from tests.support.search import A, B, Counting, Table, rescored, talker

LENGTHS = [6, 1, 4, 2, 5, 3]


def test_it_writes_the_most_probable_word_and_stops_at_the_end() -> None:
    """Catches EOS, or words after it, in the translation."""
    model = Table({BOS: {A: 0.6, B: 0.4}, A: {B: 0.7, EOS: 0.3}, B: {EOS: 0.8, A: 0.2}})
    (found,) = greedy(model, *sentences([4]), BOS, EOS, max_len=10)
    assert found.ids == [A, B]
    assert found.score == pytest.approx(torch.tensor(0.6 * 0.7 * 0.8).log().item())
    assert found.attention.shape == (3, 4)


def test_max_len_ends_a_translation() -> None:
    """Catches a model that never ends, and a row of attention for an EOS that was not written."""
    model = Table({BOS: {A: 1.0}, A: {A: 0.9, EOS: 0.1}})
    (found,) = greedy(model, *sentences([4]), BOS, EOS, max_len=5)
    assert found.ids == [A] * 5
    assert found.attention.shape == (5, 4)
    with pytest.raises(ValueError, match="max_len must be at least 1, got 0"):
        greedy(model, *sentences([4]), BOS, EOS, max_len=0)


@pytest.mark.parametrize("kind", ["article", "additive", "dot"])
def test_scores_and_attention_are_the_models_own(kind: str) -> None:
    """Catches a score that omits a word, a row of attention that belongs to another word, and columns of padding."""
    model = talker(score=kind)
    src, src_len = sentences(LENGTHS)
    found = greedy(model, src, src_len, BOS, EOS, max_len=12)
    assert len({len(hypothesis.ids) for hypothesis in found}) > 2
    for i, hypothesis in enumerate(found):
        score, attention = rescored(model, src[i : i + 1, : LENGTHS[i]], src_len[i : i + 1], hypothesis)
        assert hypothesis.score == pytest.approx(score, abs=1e-4)
        torch.testing.assert_close(hypothesis.attention, attention, rtol=0, atol=1e-5)


def test_other_sentences_and_order_change_nothing() -> None:
    """Sentences leave the batch at different steps. Catches results that are returned for another sentence."""
    model = talker()
    src, src_len = sentences(LENGTHS)
    together = greedy(model, src, src_len, BOS, EOS, max_len=12)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    shuffled = greedy(model, src[order], src_len[order], BOS, EOS, max_len=12)
    for i, hypothesis in enumerate(together):
        (alone,) = greedy(model, src[i : i + 1, : LENGTHS[i]], src_len[i : i + 1], BOS, EOS, max_len=12)
        for other in (alone, shuffled[order.tolist().index(i)]):
            assert other.ids == hypothesis.ids
            assert other.score == pytest.approx(hypothesis.score, abs=1e-4)
            torch.testing.assert_close(other.attention, hypothesis.attention, rtol=0, atol=1e-5)


def test_finished_sentences_are_not_stepped() -> None:
    """Catches rows that are still computed after their sentence has ended."""
    model = Counting(talker())
    src, src_len = sentences(LENGTHS)
    found = greedy(model, src, src_len, BOS, EOS, max_len=12)
    steps = [len(hypothesis.attention) for hypothesis in found]
    assert model.rows == [sum(count > position for count in steps) for position in range(max(steps))]
    assert min(steps) < max(steps)


def test_searching_leaves_no_graph() -> None:
    """Catches an autograd graph that is kept for each step, so that memory grows."""
    (found,) = greedy(talker(), *sentences([4]), BOS, EOS, max_len=5)
    assert not found.attention.requires_grad


def test_the_default_limit_of_a_sentence_depends_on_its_own_source() -> None:
    """Catches a limit of the whole batch, which would make a translation depend on other sources."""
    lengths = [6, 31, 1, 17, 16]
    src, src_len = sentences(lengths)
    found = greedy(Table({BOS: {A: 1.0}, A: {A: 1.0}}), src, src_len, BOS, EOS)
    assert [len(hypothesis.ids) for hypothesis in found] == [40, 70, 40, 42, 40]
    assert [tuple(hypothesis.attention.shape) for hypothesis in found] == [
        (40, 6),
        (70, 31),
        (40, 1),
        (42, 17),
        (40, 16),
    ]
    assert [longest(length - 1) for length in lengths] == [40, 70, 40, 42, 40]
