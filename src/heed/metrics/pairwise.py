"""Scores of every text among a few against every other as its reference, for minimum Bayes risk search.

Both are sacreBLEU's scores of a sentence, computed for all pairs at once: sixteen texts are 256 pairs, and sacreBLEU
counts the n-grams of both texts of a pair again each time.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from heed.errors import needs

Utility = Literal["chrf", "bleu"]
Units = Sequence[str | tuple[str, ...]]
"""Texts as characters, or as tokens."""
Matrix = Float64[np.ndarray, "hypotheses references"]


def pairwise(texts: Sequence[str], utility: Utility = "chrf", tgt_lang: str = "") -> Matrix:
    """The score from 0 to 100 of each text (row) as the hypothesis, with each (column) as its only reference.

    Args:
        texts: at least one; plain sentences.
        utility: `chrf` (Popović 2015) with its usual settings, or `bleu` with only those orders of n-grams that the
            hypothesis is long enough for.
        tgt_lang: the language, from which BLEU chooses its tokenisation.

    Raises:
        UserError: BLEU without sacreBLEU installed.
    """
    score: dict[Utility, Callable[[Sequence[str], str], Matrix]] = {"chrf": _chrf, "bleu": _bleu}
    return score[utility](texts, tgt_lang)


def _chrf(texts: Sequence[str], _: str) -> Matrix:
    """F2 of the mean precision and the mean recall of character n-grams, of orders that both texts have."""
    letters = ["".join(text.split()) for text in texts]
    precision, recall, orders = np.zeros((3, len(texts), len(texts)))
    for order in range(1, 7):
        matches, total = _matches(letters, order)
        there = (total[:, None] > 0) & (total > 0)
        several = np.maximum(total, 1)
        precision += matches / several[:, None]
        recall += matches / several
        orders += there
    precision, recall = precision / np.maximum(orders, 1), recall / np.maximum(orders, 1)
    weighted = 4 * precision + recall
    return np.divide(500 * precision * recall, weighted, out=np.zeros_like(weighted), where=weighted > 0)


def _bleu(texts: Sequence[str], tgt_lang: str) -> Matrix:
    with needs("train"):
        from heed.metrics.bleu import bleu_metric  # noqa: PLC0415 - translating needs no sacreBLEU otherwise
    metric = bleu_metric(tgt_lang)
    tokens = [tuple(metric.tokenizer(text.rstrip()).split()) for text in texts]
    matches, totals = zip(*(_matches(tokens, order) for order in range(1, 5)), strict=True)
    scores = np.zeros((len(texts), len(texts)))
    for row, column in np.ndindex(*scores.shape):
        correct = [int(one[row, column]) for one in matches]
        total = [int(one[row]) for one in totals]
        lengths = len(tokens[row]), len(tokens[column])
        scores[row, column] = metric.compute_bleu(
            correct, total, *lengths, smooth_method=metric.smooth_method, effective_order=True
        ).score
    return scores


def _matches(units: Units, order: int) -> tuple[Int64[np.ndarray, "texts texts"], Int64[np.ndarray, " texts"]]:
    """How many n-grams of this order each pair of texts has in common, and how many each text has."""
    counters = [Counter(one[i : i + order] for i in range(len(one) - order + 1)) for one in units]
    number = {ngram: place for place, ngram in enumerate({ngram: None for one in counters for ngram in one})}
    counts = np.zeros((len(units), len(number)), np.int64)
    for row, counter in zip(counts, counters, strict=True):
        row[[number[ngram] for ngram in counter]] = list(counter.values())
    return np.stack([np.minimum(row, counts).sum(1) for row in counts]), counts.sum(1)
