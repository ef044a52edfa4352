"""Scores of all pairs at once equal sacreBLEU's score of each pair."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from heed.metrics.pairwise import pairwise

TEXTS = st.lists(st.text("ab .é", max_size=12) | st.just("the cat sits on the mat."), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_chrf_is_that_of_sacrebleu(texts: list[str]) -> None:
    """Catches swapped hypothesis and reference, n-grams longer than a text, and spaces that are counted."""
    scores = pairwise(texts, "chrf")
    for row, hypothesis in enumerate(texts):
        for column, reference in enumerate(texts):
            expected = CHRF().sentence_score(hypothesis, [reference]).score
            assert scores[row, column] == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_bleu_is_that_of_sacrebleu(texts: list[str]) -> None:
    """Catches counts that are not clipped, a brevity penalty for the wrong text, and text that is not tokenised."""
    scores = pairwise(texts, "bleu")
    metric = BLEU(effective_order=True, force=True)
    for row, hypothesis in enumerate(texts):
        for column, reference in enumerate(texts):
            expected = metric.sentence_score(hypothesis, [reference]).score
            assert scores[row, column] == pytest.approx(expected, abs=1e-9)


def test_bleu_counts_the_words_of_the_language() -> None:
    """Catches Chinese sentences that are one word each, so that different sentences have nothing in common."""
    texts = ["我喜欢猫和狗", "我喜欢猫和鸟"]
    assert pairwise(texts, "bleu", "zh")[0, 1] > 50
    assert pairwise(texts, "bleu")[0, 1] == 0
