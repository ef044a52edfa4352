"""Minimum Bayes risk: choose the candidate that is most similar to all other candidates."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64, Int
from torch import Tensor

from heed.metrics.pairwise import Utility, pairwise
from heed.search.beam import beam
from heed.search.greedy import Hypothesis
from heed.search.model import Memory, Model, State
from heed.search.prefix import Prefix
from heed.search.sample import sample

LENGTH_PENALTY = 1.0
"""Of the beam search that finds candidates; the default of `beam`."""

Text = Callable[[Sequence[int]], str]
"""A function from subword ids to their text."""


def mbr(
    model: Model[State, Memory],
    src: Int[Tensor, "batch src"],
    src_len: Int[Tensor, " batch"],
    bos_id: int,
    eos_id: int,
    max_len: int | None = None,
    candidates: int = 16,
    method: Literal["beam", "sample"] = "beam",
    utility: Utility = "chrf",
    temperature: float = 1.0,
    seed: int = 1,
    n_best: int | None = None,
    no_repeat_ngram: int | None = None,
    min_len: int | None = None,
    prefix: Prefix | None = None,
    *,
    text_of: Text,
    tgt_lang: str = "",
) -> list[list[Hypothesis]]:
    """Find candidates for each sentence and return up to `n_best` of them, the highest expected utility first.

    The score of a candidate is its expected utility, from 0 to 100: the mean of its sentence chrF or BLEU with each
    candidate as the reference, including itself, weighted by that candidate's probability (Kumar and Byrne 2004,
    N04-1022). Candidates of beam search are weighted by the model's probabilities, relative to one another. Sampled
    candidates have equal weights, and one that is drawn twice counts twice (Eikema and Aziz 2020, arXiv 2005.10283).
    Candidates with the same text are merged. If scores are equal, the more probable candidate comes first.

    Args:
        model: the model.
        src: subword ids of the sources, with EOS, padded.
        src_len: the lengths of the sources, including EOS.
        bos_id, eos_id: the ids of BOS and EOS in the target vocabulary.
        max_len: the largest number of subwords of a translation; None for `heed.search.greedy.longest`.
        candidates: the number of candidates for each sentence.
        method: the search that finds them.
        utility: the similarity of two candidates.
        temperature, seed: those of `sample`, for `method="sample"`.
        n_best: the number of candidates to return; None for all.
        no_repeat_ngram: no translation repeats a run of this many subwords; None for no limit.
        min_len: no translation has fewer subwords; None for no limit.
        prefix: the beginnings of the translations.
        text_of: returns the text of subword ids.
        tgt_lang: the target language, by which sacreBLEU chooses its tokenizer.

    Raises:
        ValueError: an argument is out of range.
    """
    if candidates < 1 or (n_best is not None and not 1 <= n_best <= candidates):
        raise ValueError(f"n_best must be at least 1 and at most candidates, got n_best={n_best} and {candidates=}")
    if not 1e-6 <= temperature <= 1e6:
        raise ValueError(f"temperature={temperature}, expected 0.000001 to 1000000")
    given = (model, src, src_len, bos_id, eos_id, max_len)
    shared: dict[str, Any] = dict(n_best=candidates, no_repeat_ngram=no_repeat_ngram, min_len=min_len, prefix=prefix)
    if method == "beam":
        found = beam(*given, beam_size=candidates, length_penalty=LENGTH_PENALTY, **shared)
        weights = [posterior(several) for several in found]
    else:
        found = sample(*given, temperature=temperature, seed=seed, **shared)
        weights = [np.full(len(several), 1 / len(several)) for several in found]
    return [
        by_utility(several, weight, text_of, utility, tgt_lang)[:n_best]
        for several, weight in zip(found, weights, strict=True)
    ]


def posterior(several: Sequence[Hypothesis]) -> Float64[np.ndarray, " candidates"]:
    """The probabilities of hypotheses of beam search, relative to one another, from scores normalised by length."""
    lengths = np.array([len(one.attention) for one in several])
    log_probability = np.array([one.score for one in several]) * ((5 + lengths) / 6) ** LENGTH_PENALTY
    likelihood = np.exp(log_probability - log_probability.max())
    shares: Float64[np.ndarray, " candidates"] = likelihood / likelihood.sum()
    return shares


def by_utility(
    several: Sequence[Hypothesis],
    weights: Float64[np.ndarray, " candidates"],
    text_of: Text,
    utility: Utility = "chrf",
    tgt_lang: str = "",
) -> list[Hypothesis]:
    """The candidates of one sentence, one for each text, sorted by their expected utility, which becomes their score.

    `weights` are their probabilities, which sum to 1. Of candidates with the same text the first is kept.
    """
    first: dict[str, Hypothesis] = {}
    mass: dict[str, float] = {}
    for one, weight in zip(several, weights, strict=True):
        text = text_of(one.ids)
        first.setdefault(text, one)
        mass[text] = mass.get(text, 0.0) + float(weight)
    expected = pairwise(list(first), utility, tgt_lang) @ np.array(list(mass.values()))
    ranked = [one._replace(score=float(score)) for one, score in zip(first.values(), expected, strict=True)]
    return sorted(ranked, key=lambda one: -one.score)
