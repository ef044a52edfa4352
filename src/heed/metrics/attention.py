"""Numbers that say whether attention has formed: what a person looks for in a heatmap, for a whole corpus."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

ATTENDED = 0.1
"""A source word counts as attended when some produced word gives it at least this weight."""

NEARLY_UNIFORM = 0.9  # of the entropy of uniform attention
PARKED = 0.5  # mean weight on </s>, past which most of the looking is at no word
FEW_WORDS = 0.25  # coverage


class Health(NamedTuple):
    """Means over the produced words of a sentence, or of many sentences (see `mean_health`)."""

    entropy: float
    """Of a row, in nats: 0 looks at one word, log(source positions) looks everywhere alike."""
    normalised_entropy: float
    """The same as a share of log(source positions), so that long and short sentences compare; 0 to 1."""
    eos_share: float
    """Weight on the source's </s>, where attention rests when it has no word to look at; 0 to 1."""
    coverage: float
    """Share of the source words that some produced word gives a weight of at least ATTENDED; 0 to 1."""
    monotonicity: float
    """Kendall's tau-a between produced words and the source word that each attends to most.

    1 is word for word, -1 is reversed, near 0 is no order. Ties count as neither, so a model that always looks
    at the same word gets 0 and not 1.
    """
    sharpness: float
    """Largest weight of a row; 0 to 1."""
    tgt_len: int
    """Produced words."""
    src_len: int
    """Source words, without </s>."""


def health(weights: Float[Tensor, "tgt src"]) -> Health:
    """Health of one sentence's attention, of words or of pieces; the last column is the source's </s>.

    The row that produced </s> is better left out: it looks at the end of the source and says nothing about words.
    With no row every mean is 0 and weighs nothing in `mean_health`.
    """
    tgt_len, columns = weights.shape
    if columns == 0:
        raise ValueError("attention over no source position; expected at least the column of </s>")
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
    """Health of a corpus, every word counting alike however long its sentence.

    Coverage is weighted by source words, monotonicity by the steps from one produced word to the next, and the rest
    by produced words. The two lengths are those of the whole corpus.
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
    """One line that says attention has not formed and what usually helps, or None when it looks as it should.

    Meant for a corpus after a sensible time of training: at the start every model is nearly uniform. Monotonicity has
    no threshold, since languages differ in it.
    """
    if health.tgt_len == 0:
        return None
    if health.normalised_entropy > NEARLY_UNIFORM:
        return (
            f"attention has not formed: its entropy is {health.normalised_entropy:.0%} of that of uniform attention; "
            "what usually helps: more steps, warm-up or another learning rate, full teacher forcing at the start, "
            "more sentence pairs, and a look whether source and target lines belong together"
        )
    if health.eos_share > PARKED:
        return (
            f"attention has not formed: {health.eos_share:.0%} of it rests on </s> instead of on words; "
            "what usually helps: more steps, a smaller learning rate, "
            "and a look whether source and target lines belong together"
        )
    if health.coverage < FEW_WORDS:
        return (
            f"attention has not formed: only {health.coverage:.0%} of the source words are ever attended to; "
            "what usually helps: a score that sees the words (additive rather than article), a smaller learning rate, "
            "and a look whether the model repeats itself"
        )
    return None
