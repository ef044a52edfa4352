import itertools
from typing import Any

import pytest
import torch

from heed.models.seq2seq import Seq2Seq
from heed.search.beam import beam
from heed.search.greedy import Hypothesis, greedy
from tests.support.models import BOS, EOS, sentences, small_model
from tests.support.search import A, B, C, Counting, D, Table, rescored, talker

LENGTHS = [6, 1, 4, 2, 5, 3]


def search(model: Seq2Seq, beam_size: int, length_penalty: float = 1.0, max_len: int = 12) -> list[list[Hypothesis]]:
    return beam(model, *sentences(LENGTHS), BOS, EOS, max_len, beam_size, length_penalty)


def same(one: Hypothesis, other: Hypothesis) -> bool:
    return (
        one.ids == other.ids
        and one.score == pytest.approx(other.score, abs=1e-4)
        and torch.allclose(one.attention, other.attention, rtol=0, atol=1e-5)
    )


def log(*probabilities: float) -> float:
    return float(torch.tensor(probabilities, dtype=torch.float64).log().sum())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("max_len", [1, 4, 12])
def test_a_beam_of_one_is_greedy(seed: int, max_len: int) -> None:
    """A beam of one equals greedy search in words, score and attention."""
    model = talker(seed)
    expected = greedy(model, *sentences(LENGTHS), BOS, EOS, max_len)
    found = search(model, 1, length_penalty=0.0, max_len=max_len)
    for (hypothesis,), greedily in zip(found, expected, strict=True):
        assert same(hypothesis, greedily)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_beam_as_wide_as_everything_finds_everything_in_order(length_penalty: float) -> None:
    """Catches a missing or wrong hypothesis: compares with all 85 sentences of up to four words, EOS included."""
    model = small_model(sharp=2.5, tgt_vocab=5, emb_dim=6)
    src, src_len = sentences([5])
    (found,) = beam(model, src, src_len, BOS, EOS, max_len=4, beam_size=320, length_penalty=length_penalty)
    words = [word for word in range(5) if word != EOS]
    every = [list(ids) for length in range(4) for ids in itertools.product(words, repeat=length)]
    scores = {}
    for ids in every:
        total, _ = rescored(model, src, src_len, Hypothesis(ids, 0.0, torch.zeros(len(ids) + 1, 5)))
        scores[tuple(ids)] = total / ((6 + len(ids)) / 6) ** length_penalty
    assert len(found) == len(every) == 85
    assert {tuple(hypothesis.ids): pytest.approx(hypothesis.score, abs=1e-4) for hypothesis in found} == scores
    assert tuple(found[0].ids) == max(scores, key=scores.__getitem__)


def test_it_finds_what_greedy_misses() -> None:
    """The best first word leads to a worse sentence."""
    model = Table({BOS: {A: 0.6, B: 0.4}, A: {A: 0.4, B: 0.3, EOS: 0.3}, B: {EOS: 0.9, A: 0.1}})
    (greedily,) = greedy(model, *sentences([4]), BOS, EOS, max_len=6)
    ((best, *_),) = beam(model, *sentences([4]), BOS, EOS, max_len=6, beam_size=3, length_penalty=0.0)
    assert greedily.ids[0] == A
    assert best.ids == [B]
    assert best.score == pytest.approx(log(0.4, 0.9), abs=1e-5)


@pytest.mark.parametrize(("length_penalty", "expected"), [(0.0, [A]), (1.0, [B, C, D])])
def test_the_length_penalty_favours_length(length_penalty: float, expected: list[int]) -> None:
    """Catches an exponent with the wrong sign, which favours short translations."""
    model = Table({BOS: {A: 0.5, B: 0.5}, A: {EOS: 0.5, A: 0.5}, B: {C: 1.0}, C: {D: 1.0}, D: {EOS: 0.45, A: 0.55}})
    (found,) = beam(model, *sentences([4]), BOS, EOS, 5, beam_size=4, length_penalty=length_penalty)
    scores = {tuple(hypothesis.ids): hypothesis.score for hypothesis in found}
    assert found[0].ids == expected
    assert scores[A,] == pytest.approx(log(0.5, 0.5) / (7 / 6) ** length_penalty, abs=1e-5)
    assert scores[B, C, D] == pytest.approx(log(0.5, 0.45) / (9 / 6) ** length_penalty, abs=1e-5)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("kind", ["article", "additive", "general"])
def test_scores_and_attention_are_the_models_own(kind: str, length_penalty: float) -> None:
    """Every hypothesis of the n-best list compared with the whole-sentence pass: catches mixed-up beams."""
    model = talker(score=kind)
    src, src_len = sentences(LENGTHS)
    finished = set()
    for i, hypotheses in enumerate(search(model, 4, length_penalty)):
        for hypothesis in hypotheses:
            total, attention = rescored(model, src[i : i + 1, : LENGTHS[i]], src_len[i : i + 1], hypothesis)
            assert hypothesis.score == pytest.approx(total / ((5 + len(attention)) / 6) ** length_penalty, abs=3e-4)
            torch.testing.assert_close(hypothesis.attention, attention, rtol=0, atol=1e-5)
            finished.add(len(hypothesis.attention) > len(hypothesis.ids))
    assert True in finished


@pytest.mark.parametrize("seed", range(3))
def test_hypotheses_are_sorted_and_distinct(seed: int) -> None:
    """Catches a wrong order, and two hypotheses with the same words."""
    for hypotheses in search(talker(seed), 5):
        scores = [hypothesis.score for hypothesis in hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert len({tuple(hypothesis.ids) for hypothesis in hypotheses}) == len(hypotheses) <= 5


def test_other_sentences_and_order_change_nothing() -> None:
    """Rows are sentences times beams. Catches a wrong row index, with which a sentence continues another's words."""
    model = talker()
    src, src_len = sentences(LENGTHS)
    together = search(model, 3)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    shuffled = beam(model, src[order], src_len[order], BOS, EOS, 12, beam_size=3)
    for i, hypotheses in enumerate(together):
        (alone,) = beam(model, src[i : i + 1, : LENGTHS[i]], src_len[i : i + 1], BOS, EOS, 12, beam_size=3)
        for others in (alone, shuffled[order.tolist().index(i)]):
            assert len(others) == len(hypotheses)
            assert all(same(one, other) for one, other in zip(hypotheses, others, strict=True))


def test_finished_sentences_are_not_stepped() -> None:
    """Catches rows that are still computed for a sentence whose beam is full of finished hypotheses."""
    model = Counting(talker(1))
    search(model, 3, max_len=20)
    together = model.rows.copy()
    alone = []
    for i, length in enumerate(LENGTHS):
        model.rows.clear()
        src, src_len = sentences(LENGTHS)
        beam(model, src[i : i + 1, :length], src_len[i : i + 1], BOS, EOS, 20, beam_size=3)
        alone.append(len(model.rows))
    width = [1] + [3] * max(alone)  # in the first step all beams of a sentence would be equal
    assert together == [width[position] * sum(count > position for count in alone) for position in range(max(alone))]
    assert min(alone) < max(alone)


class TestEndings:
    LOOP = Table({BOS: {A: 0.5, B: 0.5}, A: {A: 0.99, EOS: 0.01}, B: {EOS: 0.9, A: 0.1}})

    def test_a_loop_does_not_beat_a_finished_hypothesis(self) -> None:
        """Catches a probable word repeated to the limit as the best translation, because of its good score per word."""
        (found,) = beam(self.LOOP, *sentences([4]), BOS, EOS, max_len=30, beam_size=3)
        assert found[0].ids == [B]
        assert all(len(hypothesis.attention) == len(hypothesis.ids) + 1 for hypothesis in found)

    def test_if_nothing_ends_the_words_so_far_are_returned(self) -> None:
        """Catches an empty list, which would give an empty line or an IndexError."""
        model = Table({BOS: {A: 0.6, B: 0.4}, A: {A: 1.0}, B: {B: 1.0}})
        (found,) = beam(model, *sentences([4]), BOS, EOS, max_len=3, beam_size=2)
        assert [hypothesis.ids for hypothesis in found] == [[A] * 3, [B] * 3]
        assert found[0].score == pytest.approx(log(0.6) / (8 / 6), abs=1e-5)
        assert all(hypothesis.attention.shape == (3, 4) for hypothesis in found)

    def test_a_beam_wider_than_what_is_possible_invents_nothing(self) -> None:
        """Catches beams that could not grow in the result: their score is minus infinity, their words are another's."""
        model = Table({BOS: {A: 1.0}, A: {B: 0.6, C: 0.4}, B: {C: 1.0}, C: {B: 1.0}})
        (found,) = beam(model, *sentences([4]), BOS, EOS, max_len=3, beam_size=6)
        assert [hypothesis.ids for hypothesis in found] == [[A, B, C], [A, C, B]]

    def test_a_translation_may_be_empty(self) -> None:
        """Catches an empty translation (EOS as the first word) that is lost, or has no row of attention for EOS."""
        ((best, *_),) = beam(Table({BOS: {EOS: 0.9, A: 0.1}, A: {EOS: 1.0}}), *sentences([4]), BOS, EOS, 5, 2)
        assert best.ids == []
        assert best.attention.shape == (1, 4)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"beam_size": 0}, "got n_best=0 and beam_size=0"),
            ({"beam_size": -1}, "got n_best=-1 and beam_size=-1"),
            ({"beam_size": 3, "n_best": 4}, "got n_best=4 and beam_size=3"),
            ({"n_best": 0}, "got n_best=0 and beam_size=5"),
            ({"max_len": 0}, "max_len must be at least 1, got 0"),
            ({"coverage_penalty": -0.1}, "coverage_penalty must be at least 0 and at most 1000, got -0.1"),
            ({"coverage_penalty": float("inf")}, "coverage_penalty must be at least 0 and at most 1000, got inf"),
            ({"length_penalty": -1000.0}, "length_penalty must be at least -10 and at most 10, got -1000.0"),
        ],
    )
    def test_impossible_settings_are_reported(self, wrong: dict[str, Any], message: str) -> None:
        """Catches a search that finds nothing, and a list that is silently shorter than requested."""
        with pytest.raises(ValueError, match=message):
            beam(self.LOOP, *sentences([4]), BOS, EOS, **wrong)

    def test_the_default_limit_of_a_sentence_depends_on_its_own_source(self) -> None:
        """Catches one limit for the whole batch, and a row for an EOS beyond the limit of a sentence."""
        model = Table({BOS: {A: 0.6, B: 0.4}, A: {A: 1.0}, B: {B: 1.0}})
        lengths = [6, 31, 1, 17]
        src, src_len = sentences(lengths)
        found = beam(model, src, src_len, BOS, EOS, beam_size=2)
        for length, longest, hypotheses in zip(lengths, (40, 70, 40, 42), found, strict=True):
            assert [hypothesis.ids for hypothesis in hypotheses] == [[A] * longest, [B] * longest]
            assert [hypothesis.score for hypothesis in hypotheses] == pytest.approx(
                [log(chance) / ((5 + longest) / 6) for chance in (0.6, 0.4)], abs=1e-5
            )
            assert all(hypothesis.attention.shape == (longest, length) for hypothesis in hypotheses)


def test_stopping_early_does_not_change_the_first_hypotheses() -> None:
    """Catches a search that stops while a longer hypothesis, or one whose rest is certain, could still win."""
    stopped_early = 0
    for seed in range(3):
        for length_penalty in (-1.0, 0.0, 1.0):
            model = Counting(talker(seed, sharp=4.0))
            settings: dict[str, Any] = dict(max_len=14, beam_size=4, length_penalty=length_penalty)
            whole = beam(model, *sentences(LENGTHS), BOS, EOS, **settings)
            rows = sum(model.rows)
            for n_best in (1, 2):
                model.rows.clear()
                found = beam(model, *sentences(LENGTHS), BOS, EOS, n_best=n_best, **settings)
                assert sum(model.rows) <= rows
                stopped_early += sum(model.rows) < rows
                for few, all_found in zip(found, whole, strict=True):
                    assert len(few) == min(n_best, len(all_found))
                    assert all(same(one, other) for one, other in zip(few, all_found[:n_best], strict=True))
    assert stopped_early


class TestCoverage:
    """Wu et al. 2016, equation 14, beta."""

    def test_it_is_added_to_the_score(self) -> None:
        """Compares with the definition. Catches EOS or padding in the sum over attention, and a missing row."""
        plain, src_len = search(talker(), 4), sentences(LENGTHS)[1].tolist()
        covering = beam(talker(), *sentences(LENGTHS), BOS, EOS, 12, beam_size=4, coverage_penalty=0.3)
        compared = 0
        for before, after, length in zip(plain, covering, src_len, strict=True):
            scores = {tuple(hypothesis.ids): hypothesis.score for hypothesis in before}
            assert [one.score for one in after] == sorted((one.score for one in after), reverse=True)
            for hypothesis in after:
                coverage = hypothesis.attention.sum(0)[: length - 1]
                if tuple(hypothesis.ids) in scores:
                    expected = scores[tuple(hypothesis.ids)] + 0.3 * float(coverage.clamp(max=1.0).log().sum())
                    assert hypothesis.score == pytest.approx(expected, abs=1e-4)
                    compared += 1
        assert compared > 10

    def test_a_translation_that_leaves_words_out_ranks_lower(self) -> None:
        """Catches a penalty with the wrong sign, and a penalty that is applied after ranking."""

        def uncovered(penalty: float) -> float:
            found = beam(talker(2), *sentences(LENGTHS), BOS, EOS, 12, beam_size=5, coverage_penalty=penalty)
            return sum(float((1 - best.attention.sum(0)[:-1]).clamp(min=0).sum()) for best, *_ in found)

        assert uncovered(5.0) < uncovered(0.0)
