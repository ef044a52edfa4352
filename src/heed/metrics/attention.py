"""Measures of whether attention has formed, computed over a whole corpus."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

ATTENDED = 0.1
"""A source word counts as attended to if some target word gives it at least this weight."""

NEARLY_UNIFORM = 0.9  # of the entropy of uniform attention
PARKED = 0.5  # mean weight on </s>; above it, most attention is not on words
FEW_WORDS = 0.25  # coverage


class Health(NamedTuple):
    """Means over the target words of a sentence, or of many sentences (see `mean_health`)."""

    entropy: float
    """Entropy of a row, in nats: 0 if one position has all the weight, log(source positions) for uniform attention."""
    normalised_entropy: float
    """Entropy divided by log(source positions), which makes sentences of different lengths comparable; 0 to 1."""
    eos_share: float
    """Weight on the source's </s>, to which models attend if no source word is relevant; 0 to 1."""
    coverage: float
    """Share of the source words to which some target word gives at least the weight ATTENDED; 0 to 1."""
    monotonicity: float
    """Kendall's tau-a between target words and the source word that each attends to most.

    1 is the same order, -1 the reversed order, near 0 no order. Ties count 0, so a model that always attends to the
    same word gets 0 and not 1.
    """
    sharpness: float
    """Largest weight of a row; 0 to 1."""
    tgt_len: int
    """The number of target words."""
    src_len: int
    """The number of source words, without </s>."""


def health(weights: Float[Tensor, "tgt src"]) -> Health:
    """Measures of one sentence's attention, of words or of subwords; the last column is the source's </s>.

    Leave out the row of the target's </s>, which attends to the end of the source. Without rows all means are 0 and
    have no weight in `mean_health`.

    Raises:
        ValueError: there is no column.
    """
    tgt_len, columns = weights.shape
    if columns == 0:
        raise ValueError("attention has no columns; expected at least the column of </s>")
    if tgt_len == 0:
        return Health(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, columns - 1)
    weights = weights.detach().double().cpu()
    words = weights[:, :-1]
    entropy = float(torch.special.entr(weights).sum(dim=1).mean())
    return Health(
        entropy=entropy,
        normalised_entropy=entropy / math.log(columns) if columns > 1 else 0.0,
        eos_share=float(weights[:, -1].mean()),
        coverage=float((words.amax(dim=0) >= ATTENDED).double().mean()) if columns > 1 else 0.0,
        monotonicity=_kendall(words.argmax(dim=1)) if columns > 1 else 0.0,
        sharpness=float(weights.amax(dim=1).mean()),
        tgt_len=tgt_len,
        src_len=columns - 1,
    )


def _kendall(positions: Tensor) -> float:
    later = (positions[None, :] - positions[:, None]).sign().triu(diagonal=1)
    pairs = len(positions) * (len(positions) - 1) // 2
    return float(later.sum()) / pairs if pairs else 0.0


def mean_health(sentences: Sequence[Health]) -> Health:
    """Measures of a corpus, in which every word has the same weight, whatever the length of its sentence.

    Coverage is weighted by source words, monotonicity by pairs of consecutive target words, and the rest by target
    words. The two lengths are those of the whole corpus.
    """
    tgt, src = [h.tgt_len for h in sentences], [h.src_len for h in sentences]
    steps = [max(0, length - 1) for length in tgt]
    return Health(
        entropy=_weighted((h.entropy for h in sentences), tgt),
        normalised_entropy=_weighted((h.normalised_entropy for h in sentences), tgt),
        eos_share=_weighted((h.eos_share for h in sentences), tgt),
        coverage=_weighted((h.coverage for h in sentences), src),
        monotonicity=_weighted((h.monotonicity for h in sentences), steps),
        sharpness=_weighted((h.sharpness for h in sentences), tgt),
        tgt_len=sum(tgt),
        src_len=sum(src),
    )


def _weighted(values: Iterable[float], weights: Sequence[int]) -> float:
    total = sum(weights)
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / total if total else 0.0


def advice(health: Health) -> str | None:
    """One line that says that attention has not formed and what usually helps, or None if it has formed.

    Use it on a corpus after enough training, because attention is nearly uniform at first. Monotonicity has no
    threshold, because languages differ in it.
    """
    if health.tgt_len == 0:
        return None
    if health.normalised_entropy > NEARLY_UNIFORM:
        return (
            f"attention has not formed: its entropy is {health.normalised_entropy:.0%} of that of uniform attention; "
            "what usually helps: more steps, warm-up or another learning rate, full teacher forcing at the start, "
            "more sentence pairs; also check that source and target lines match"
        )
    if health.eos_share > PARKED:
        return (
            f"attention has not formed: {health.eos_share:.0%} of it is on </s> instead of on words; "
            "what usually helps: more steps, a smaller learning rate; "
            "also check that source and target lines match"
        )
    if health.coverage < FEW_WORDS:
        return (
            f"attention has not formed: only {health.coverage:.0%} of the source words are ever attended to; "
            "what usually helps: a smaller learning rate or, instead of the score article, one that uses the source "
            "words; also check whether the model repeats itself"
        )
    return None
