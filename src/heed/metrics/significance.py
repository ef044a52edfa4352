"""Whether one system is better than another on the same sentences: paired bootstrap resampling (Koehn 2004)."""

import logging
import os
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest, Result

from heed.metrics.bleu import Further, bleu_metric, check_pairs

SEED = 12345
"""sacreBLEU's own default."""

RESAMPLES = 1000

ENOUGH = 30
"""Sentences from which on resampling says something; the test sets of Koehn 2004 have 100 at least."""


class Comparison(NamedTuple):
    """A corpus score of two systems; positive differences are in favour of the first.

    `low` and `high` bound the middle 95 % of the differences over the resamples. `p_value` is the probability that a
    difference at least as large, in either direction, comes of the choice of sentences alone. `note` says so if there
    are too few sentences to decide anything, and is empty otherwise.
    """

    score: float
    other: float
    difference: float
    low: float
    high: float
    p_value: float
    signature: str
    note: str = ""


def paired_bootstrap(
    *,
    hypotheses: Sequence[str],
    others: Sequence[str],
    references: Sequence[str],
    tgt_lang: str = "",
    further: Further = (),
) -> dict[str, Comparison]:
    """BLEU and chrF of two systems' translations of the same sentences, compared by sacreBLEU's paired test.

    `further` are other references of the sentences.

    The draw of sentences is that of a fixed seed, which the signature names: the same texts give the same numbers.
    """
    check_pairs(hypotheses, references)
    check_pairs(others, references)
    logging.getLogger("sacrebleu").setLevel(logging.WARNING)  # it tells every step
    os.environ["SACREBLEU_SEED"] = str(SEED)  # nothing but the environment tells sacreBLEU
    metrics: dict[str, Metric] = {"bleu": bleu_metric(tgt_lang), "chrf": CHRF()}
    several: Any = [references, *further]
    test = PairedTest([("", others), ("", hypotheses)], metrics, several, test_type="bs", n_samples=RESAMPLES)
    signatures, results = test()
    compared = {}
    for (key, metric), (name, signature) in zip(metrics.items(), signatures.items(), strict=True):
        other, this = (cast(Result, found) for found in results[name])
        difference = this.score - other.score
        interval = _interval(metric, hypotheses, others, several)
        # to sacreBLEU, which counts what exceeds the difference, a system is better than itself, at p = 0.001
        p_value = max(cast(float, this.p_value), _least_p_value(len(references))) if difference else 1.0
        note = _note(len(references))
        compared[key] = Comparison(this.score, other.score, difference, *interval, p_value, str(signature), note)
    return compared


def _least_p_value(sentences: int) -> float:
    """The least p-value that so many sentences can give.

    If the two systems are alike, each sentence could as well have been translated the other way round: of the 2^n
    equally likely outcomes two are the most extreme, one for each system.
    """
    return min(1.0, 2.0 ** (1 - sentences))


def _note(sentences: int) -> str:
    if sentences >= ENOUGH:
        return ""
    return f"{sentences} {'sentence decides' if sentences == 1 else 'sentences decide'} nothing; take {ENOUGH} or more"


def _interval(metric: Metric, hypotheses: Sequence[str], others: Sequence[str], references: Any) -> tuple[float, float]:
    """Bounds of the difference over the resamples that the test draws; sacreBLEU gives them for each system alone."""
    counts = [np.array(metric._extract_corpus_statistics(lines, references)) for lines in (hypotheses, others)]
    drawn = np.random.default_rng(SEED).choice(len(hypotheses), size=(RESAMPLES, len(hypotheses)))
    this, other = ([metric._compute_score_from_stats(each[of].sum(0)).score for of in drawn] for each in counts)
    low, high = np.percentile(np.subtract(this, other), [2.5, 97.5])
    return float(low), float(high)
