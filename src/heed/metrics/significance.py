"""Test whether one system is better than another on the same sentences, by paired bootstrap resampling (Koehn 2004)."""

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
"""The smallest number of sentences for which resampling is meaningful; test sets in Koehn 2004 have at least 100."""


class Comparison(NamedTuple):
    """A corpus score of two systems; the difference is positive if the first is better.

    `low` and `high` are the bounds of the 95 % interval of the difference over the resamples. `p_value` is the
    probability of a difference at least as large, in either direction, by the choice of sentences alone. `note` is a
    warning if there are too few sentences, otherwise empty.
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
    """Compare BLEU and chrF of two systems' translations of the same sentences by sacreBLEU's paired test.

    Sentences are drawn with a fixed seed, which is part of the signature, so the same texts give the same numbers.

    Args:
        hypotheses: the translations of the first system.
        others: the translations of the second system.
        references: one reference for each sentence.
        tgt_lang: the target language, by which text is tokenised; may be empty.
        further: additional references of the sentences.

    Returns:
        The comparison for `bleu` and for `chrf`.

    Raises:
        UserError: the numbers of sentences differ, or are 0.
    """
    check_pairs(hypotheses, references)
    check_pairs(others, references)
    logging.getLogger("sacrebleu").setLevel(logging.WARNING)  # it logs every step
    os.environ["SACREBLEU_SEED"] = str(SEED)  # sacreBLEU reads the seed only from the environment
    metrics: dict[str, Metric] = {"bleu": bleu_metric(tgt_lang), "chrf": CHRF()}
    several: Any = [references, *further]
    test = PairedTest([("", others), ("", hypotheses)], metrics, several, test_type="bs", n_samples=RESAMPLES)
    signatures, results = test()
    compared = {}
    for (key, metric), (name, signature) in zip(metrics.items(), signatures.items(), strict=True):
        other, this = (cast(Result, found) for found in results[name])
        difference = this.score - other.score
        interval = _interval(metric, hypotheses, others, several)
        # sacreBLEU counts only larger differences, so it would find a system better than itself, with p = 0.001
        p_value = max(cast(float, this.p_value), _least_p_value(len(references))) if difference else 1.0
        note = _note(len(references))
        compared[key] = Comparison(this.score, other.score, difference, *interval, p_value, str(signature), note)
    return compared


def _least_p_value(sentences: int) -> float:
    """The smallest p-value that is possible with so many sentences.

    If the two systems are equal, their translations of each sentence could be swapped. Of the 2^n equally likely
    outcomes two are the most extreme, one for each system.
    """
    return min(1.0, 2.0 ** (1 - sentences))


def _note(sentences: int) -> str:
    if sentences >= ENOUGH:
        return ""
    return f"{sentences} {'sentence is' if sentences == 1 else 'sentences are'} too few; use {ENOUGH} or more"


def _interval(metric: Metric, hypotheses: Sequence[str], others: Sequence[str], references: Any) -> tuple[float, float]:
    """Bounds of the difference over the test's resamples; sacreBLEU returns bounds only for each system separately."""
    counts = [np.array(metric._extract_corpus_statistics(lines, references)) for lines in (hypotheses, others)]
    drawn = np.random.default_rng(SEED).choice(len(hypotheses), size=(RESAMPLES, len(hypotheses)))
    this, other = ([metric._compute_score_from_stats(count[of].sum(0)).score for of in drawn] for count in counts)
    low, high = np.percentile(np.subtract(this, other), [2.5, 97.5])
    return float(low), float(high)
