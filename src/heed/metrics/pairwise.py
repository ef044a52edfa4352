"""Score every pair of a few texts, one as the hypothesis and one as its reference, for minimum Bayes risk search.

The scores equal sacreBLEU's sentence scores. They are computed for all pairs at once, because sacreBLEU would count the
n-grams of both texts again for each pair, and sixteen texts have 256 pairs.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from heed.errors import needs

Utility = Literal["chrf", "bleu"]
Units = Sequence[str | tuple[str, ...]]
"""Texts, each a string of characters or a tuple of tokens."""
Matrix = Float64[np.ndarray, "hypotheses references"]


def pairwise(texts: Sequence[str], utility: Utility = "chrf", tgt_lang: str = "") -> Matrix:
    """Score each text as the hypothesis, with each text as its only reference.

    Args:
        texts: plain sentences, at least one.
        utility: `chrf` (Popović 2015) with its usual settings, or `bleu`, which leaves out the orders of n-grams that
            are longer than the hypothesis.
        tgt_lang: the language, from which BLEU chooses its tokenisation.

    Returns:
        Scores from 0 to 100; rows are hypotheses and columns are references.

    Raises:
        MissingExtra: `utility` is `bleu`, and sacreBLEU is not installed.
    """
    score: dict[Utility, Callable[[Sequence[str], str], Matrix]] = {"chrf": _chrf, "bleu": _bleu}
    return score[utility](texts, tgt_lang)


def _chrf(texts: Sequence[str], _: str) -> Matrix:
    """F2 of the mean precision and mean recall of character n-grams, over the orders that occur in both texts."""
    letters = ["".join(text.split()) for text in texts]
    precision, recall, orders = np.zeros((3, len(texts), len(texts)))
    for order in range(1, 7):
        matches, total = _matches(letters, order)
        in_both = (total[:, None] > 0) & (total > 0)
        several = np.maximum(total, 1)
        precision += matches / several[:, None]
        recall += matches / several
        orders += in_both
    precision, recall = precision / np.maximum(orders, 1), recall / np.maximum(orders, 1)
    weighted = 4 * precision + recall
    return np.divide(500 * precision * recall, weighted, out=np.zeros_like(weighted), where=weighted > 0)


def _bleu(texts: Sequence[str], tgt_lang: str) -> Matrix:
    with needs("train"):
        from heed.metrics.bleu import bleu_metric  # noqa: PLC0415 - only this utility needs sacreBLEU
    metric = bleu_metric(tgt_lang)
    tokens = [tuple(metric.tokenizer(text.rstrip()).split()) for text in texts]
    matches, totals = zip(*(_matches(tokens, order) for order in range(1, 5)), strict=True)
    scores = np.zeros((len(texts), len(texts)))
    for row, column in np.ndindex(*scores.shape):
        correct = [int(counts[row, column]) for counts in matches]
        total = [int(counts[row]) for counts in totals]
        lengths = len(tokens[row]), len(tokens[column])
        scores[row, column] = metric.compute_bleu(
            correct, total, *lengths, smooth_method=metric.smooth_method, effective_order=True
        ).score
    return scores


def _matches(units: Units, order: int) -> tuple[Int64[np.ndarray, "texts texts"], Int64[np.ndarray, " texts"]]:
    """The number of n-grams of this order that each pair of texts has in common, and the number in each text."""
    counters = [Counter(text[i : i + order] for i in range(len(text) - order + 1)) for text in units]
    number = {ngram: place for place, ngram in enumerate({ngram: None for counter in counters for ngram in counter})}
    counts = np.zeros((len(units), len(number)), np.int64)
    for row, counter in zip(counts, counters, strict=True):
        row[[number[ngram] for ngram in counter]] = list(counter.values())
    return np.stack([np.minimum(row, counts).sum(1) for row in counts]), counts.sum(1)
