"""Minimum Bayes risk: the chosen candidate, by definition and by properties."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import heed
from heed.errors import UserError
from heed.metrics.pairwise import pairwise
from heed.search.beam import beam
from heed.search.ensemble import Ensemble
from heed.search.greedy import Hypothesis
from heed.search.mbr import by_utility, mbr, posterior
from heed.search.prefix import Prefix
from heed.search.sample import sample
from tests.support import model_folder
from tests.support.models import BOS, EOS, sentences
from tests.support.search import rescored, talker

LENGTHS = [6, 1, 4, 2]
WORDS = "a bird cat dog eats far good house is just keen lamp".split()


def text_of(ids: Sequence[int]) -> str:
    return " ".join(WORDS[i] for i in ids)


def found(method: str, src: torch.Tensor, src_len: torch.Tensor, **settings: Any) -> list[list[Hypothesis]]:
    given: dict[str, Any] = {"max_len": 12, "method": method, "candidates": 6, "n_best": None} | settings
    return mbr(talker(), src, src_len, BOS, EOS, text_of=text_of, **given)


def candidate(text: str) -> Hypothesis:
    ids = [WORDS.index(word) for word in text.split()]
    return Hypothesis(ids, -1.0, torch.zeros(len(ids) + 1, 3))


def chosen(
    texts: Sequence[str], weights: Sequence[float] | None = None, utility: Any = "chrf"
) -> list[tuple[str, float]]:
    shares = np.array(weights or [1 / len(texts)] * len(texts))
    ranked = by_utility([candidate(text) for text in texts], shares, text_of, utility)
    return [(text_of(one.ids), one.score) for one in ranked]


@pytest.mark.parametrize("utility", ["chrf", "bleu"])
def test_the_score_is_the_expected_utility(utility: Any) -> None:
    """Catches the mean over hypotheses instead of references, and weights that are left out."""
    texts, weights = ["a cat eats", "a good dog eats", "a cat is far"], [0.5, 0.2, 0.3]
    matrix = pairwise(texts, utility)
    expected = {text: sum(w * matrix[i, j] for j, w in enumerate(weights)) for i, text in enumerate(texts)}
    ranked = chosen(texts, weights, utility)
    assert [text for text, _ in ranked] == sorted(texts, key=lambda text: -expected[text])
    assert dict(ranked) == pytest.approx(expected)


def test_a_candidate_between_the_others_wins() -> None:
    """Catches a search that returns the most probable candidate, which is the first."""
    ranked = chosen(["far far is keen", "a good cat eats", "a good dog eats", "a keen dog eats"])
    assert ranked[0][0] == "a good dog eats"


@pytest.mark.parametrize("utility", ["chrf", "bleu"])
def test_a_candidate_that_is_drawn_more_often_weighs_more(utility: Any) -> None:
    """Catches duplicates that count once or are listed twice, and a weight of 2 that differs from two duplicates."""
    several = ["a cat eats", "a dog is far", "a dog is far", "a dog is far"]
    once = dict(chosen(several[:2], utility=utility))
    ranked = chosen(several, utility=utility)
    assert dict(ranked) == pytest.approx(dict(chosen(several[:2], [0.25, 0.75], utility)))
    assert ranked[0][0] == "a dog is far"
    assert dict(ranked)["a dog is far"] > once["a dog is far"]
    assert dict(ranked)["a cat eats"] < once["a cat eats"]


def test_equal_candidates_are_that_candidate() -> None:
    """Catches a division by zero, and a text whose utility with itself is not 100."""
    for several in (["a cat eats"], ["a cat eats"] * 3):
        ((text, score),) = chosen(several)
        assert (text, round(score, 9)) == ("a cat eats", 100)
    assert chosen([""]) == [("", 0.0)]


def test_of_equal_scores_the_more_probable_is_first() -> None:
    """Catches an order that depends on an unstable sort."""
    assert [text for text, _ in chosen(["cat", "dog"])] == ["cat", "dog"]
    assert [text for text, _ in chosen(["dog", "cat"])] == ["dog", "cat"]


def test_hypotheses_of_a_beam_weigh_what_the_model_gives_them() -> None:
    """Catches probabilities that are computed from scores divided for length."""
    src, src_len = sentences(LENGTHS)
    for i, several in enumerate(beam(talker(), src, src_len, BOS, EOS, 12, beam_size=6)):
        alone = src[i : i + 1, : LENGTHS[i]], src_len[i : i + 1]
        probabilities = np.exp([rescored(talker(), *alone, one)[0] for one in several])
        np.testing.assert_allclose(posterior(several), probabilities / probabilities.sum(), rtol=1e-3)


@pytest.mark.parametrize("method", ["beam", "sample"])
def test_candidates_are_those_of_the_method(method: str) -> None:
    """Catches candidates of another search or another seed, attention of another candidate, and texts twice."""
    batch = sentences(LENGTHS)
    draw = dict(temperature=0.7, seed=5, n_best=6)
    those = beam(talker(), *batch, BOS, EOS, 12, beam_size=6) if method == "beam" else (
        sample(talker(), *batch, BOS, EOS, 12, **draw)  # type: ignore[arg-type]
    )  # fmt: skip
    for several, candidates in zip(found(method, *batch, temperature=0.7, seed=5), those, strict=True):
        texts = [text_of(one.ids) for one in several]
        assert len(set(texts)) == len(texts)
        assert set(texts) == {text_of(one.ids) for one in candidates}
        assert [one.score for one in several] == sorted((one.score for one in several), reverse=True)
        for one in several:
            assert any(torch.equal(one.attention, other.attention) for other in candidates if other.ids == one.ids)


@pytest.mark.parametrize("method", ["beam", "sample"])
def test_other_sentences_and_n_best_change_nothing(method: str) -> None:
    """Catches candidates of another sentence of the batch."""
    src, src_len = sentences(LENGTHS)
    together = found(method, src, src_len)
    for i, several in enumerate(together):
        (alone,) = found(method, src[i : i + 1, : LENGTHS[i]], src_len[i : i + 1])
        assert [one.ids for one in alone] == [one.ids for one in several]
    assert [[one.ids for one in several] for several in found(method, src, src_len, n_best=2)] == [
        [one.ids for one in several[:2]] for several in together
    ]


def test_the_seed_decides_what_is_drawn() -> None:
    """Catches results that differ at the next call, and a seed without effect."""
    batch = sentences(LENGTHS)
    assert str(found("sample", *batch)) == str(found("sample", *batch))
    assert str(found("sample", *batch)) != str(found("sample", *batch, seed=2))


def test_prefix_and_no_repeat_ngram_are_passed_to_the_search() -> None:
    """Catches candidates without the given prefix, and candidates that repeat n-grams."""
    free = torch.zeros(12, dtype=torch.bool)
    prefix = Prefix.of([[4, 5]] * len(LENGTHS), free)
    for several in found("beam", *sentences(LENGTHS), prefix=prefix, no_repeat_ngram=1):
        assert all(one.ids[:2] == [4, 5] and len(set(one.ids)) == len(one.ids) for one in several)


@pytest.mark.parametrize("wrong", [{"candidates": 0}, {"n_best": 7}, {"n_best": 0}])
def test_impossible_counts_are_refused(wrong: dict[str, Any]) -> None:
    """Catches a list that is shorter than requested, without an error."""
    with pytest.raises(ValueError, match="n_best must be at least 1 and at most candidates"):
        found("beam", *sentences(LENGTHS), **wrong)


def test_several_models_search_as_one() -> None:
    """Catches a search that needs something of a model that an ensemble lacks."""
    ensemble = Ensemble([talker(1), talker(2)])
    batch = sentences(LENGTHS)
    several = mbr(ensemble, *batch, BOS, EOS, 12, 4, n_best=None, text_of=text_of)
    those = beam(ensemble, *batch, BOS, EOS, 12, beam_size=4)
    assert [{tuple(one.ids) for one in each} for each in several] == [
        {tuple(one.ids) for one in each} for each in those
    ]


def test_it_is_a_search_of_translators(tmp_path: Path) -> None:
    """Catches candidates whose texts or scores belong to other translations."""
    folders = [model_folder.write(tmp_path / str(seed), seed=seed) for seed in (3, 4)]
    for translator in (heed.load(folders[0]), heed.load(folders)):
        lines = ["a dog barks", "", "two birds sing"]
        several = translator.translate(lines, search="mbr", n_best=None, candidates=5, max_len=9)
        for one in several[0], several[2]:
            texts = [other.text for other in one.candidates]
            assert len(texts) == len(set(texts)) > 1
            assert 0 <= one.score <= 100
        best = translator.translate(lines, search="mbr", candidates=5, max_len=9, batch_size=1)
        assert [one.text for one in best] == [one.text for one in several]
        assert several[1].text == ""
    with pytest.raises(UserError, match=r"search\.utility='ter'|search\.utility=ter"):
        translator.translate("a dog", search="mbr", utility="ter")
    with pytest.raises(UserError, match=r"search\.candidates=99999: should be 1 to 10000"):
        translator.translate("a dog", search="mbr", candidates=99_999)
    with pytest.raises(UserError, match=r"search\.text_of=1: search=mbr has no such setting"):
        translator.translate("a dog", search="mbr", text_of=1)
