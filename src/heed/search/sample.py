"""Sampling: draw translations at random, by the model's probabilities."""

import random

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heed.search.greedy import Hypothesis, write
from heed.search.model import Memory, Model, State
from heed.search.prefix import Prefix


def sample(
    model: Model[State, Memory],
    src: Int[Tensor, "batch src"],
    src_len: Int[Tensor, " batch"],
    bos_id: int,
    eos_id: int,
    max_len: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    seed: int = 1,
    n_best: int = 1,
    no_repeat_ngram: int | None = None,
    min_len: int | None = None,
    prefix: Prefix | None = None,
) -> list[list[Hypothesis]]:
    """Draw `n_best` translations for each sentence, independently, so they may be equal; return them best first.

    Each subword is drawn from the softmax of the logits divided by `temperature` (Ackley, Hinton and Sejnowski 1985),
    among the `top_k` most probable (Fan et al. 2018, arXiv 1805.04833), and of these among the fewest whose
    probabilities sum to `top_p` (Holtzman et al. 2020, arXiv 1904.09751). The score is the model's log-probability,
    whatever the temperature and the limits.

    The draws for a sentence depend on `seed` and on its own subwords, not on the other sentences or on its position. So
    other batches give the same translations, and equal lines have equal translations. This holds in float32; in
    bfloat16, one in five lines is drawn differently if translated alone.

    Args:
        model: the model.
        src: subword ids of the sources, with EOS, padded.
        src_len: the lengths of the sources, including EOS.
        bos_id, eos_id: the ids of BOS and EOS in the target vocabulary.
        max_len: the largest number of subwords of a translation; None for `heed.search.greedy.longest`.
        temperature: 0.000001 to 1000000; below 1 prefers probable subwords.
        top_k: the number of most probable subwords to draw from; None for all.
        top_p: the smallest joint probability of the subwords to draw from.
        seed: the seed of the draws.
        n_best: the number of translations of each sentence.
        no_repeat_ngram: no translation repeats a run of this many subwords; None for no limit.
        min_len: no translation has fewer subwords; None for no limit.
        prefix: the beginnings of the translations.

    Raises:
        ValueError: an argument is out of range.
    """
    _check(temperature, top_k, top_p, n_best)
    lines = [ids[:length] for ids, length in zip(src.tolist(), src_len.tolist(), strict=True)]
    generators = [random.Random(f"{seed} {number} {ids}") for ids in lines for number in range(n_best)]

    def choose(
        log_probability: Float[Tensor, "alive vocab"], alive: Int[Tensor, " alive"], _position: int
    ) -> Int[Tensor, " alive"]:
        probability = torch.softmax(log_probability.double() / temperature, dim=1)
        uniform = [generators[row].random() for row in alive.tolist()]  # a row is alive from the first position on
        drawn = torch.tensor(uniform, dtype=torch.float64, device=src.device)
        return draw(among(probability, top_k, top_p), drawn)

    hypotheses = write(model, src, src_len, bos_id, eos_id, max_len, choose, no_repeat_ngram, min_len, n_best, prefix)
    by_sentence = [hypotheses[first : first + n_best] for first in range(0, len(hypotheses), n_best)]
    return [sorted(several, key=lambda one: -one.score) for several in by_sentence]


def _check(temperature: float, top_k: int | None, top_p: float, n_best: int) -> None:
    for name, given, right, expected in (
        (
            "temperature",
            temperature,
            1e-6 <= temperature <= 1e6,
            "0.000001 to 1000000; greedy search takes the best words",
        ),
        ("top_k", top_k, top_k is None or top_k >= 1, "1 or more, or null for all words"),
        ("top_p", top_p, 0 < top_p <= 1, "above 0 and at most 1"),
        ("n_best", n_best, n_best >= 1, "1 or more"),
    ):
        if not right:
            raise ValueError(f"{name}={given}, expected {expected}")


def among(probability: Float[Tensor, "rows vocab"], top_k: int | None, top_p: float) -> Float[Tensor, "rows vocab"]:
    """The probabilities of the subwords to draw from; zero for all others."""
    if top_k is not None and top_k < probability.size(1):
        likely = probability.topk(top_k)
        probability = torch.zeros_like(probability).scatter(1, likely.indices, likely.values)
    if top_p < 1:
        value, word = probability.sort(descending=True)
        more_likely = value.cumsum(1) - value
        nucleus = value.masked_fill(more_likely >= top_p * value.sum(1, keepdim=True), 0.0)
        probability = torch.zeros_like(probability).scatter(1, word, nucleus)
    return probability


def draw(probability: Float[Tensor, "rows vocab"], uniform: Float[Tensor, " rows"]) -> Int[Tensor, " rows"]:
    """Draw a subword with one number in [0, 1): the one whose part of the cumulative probability contains `uniform`."""
    reached = probability.cumsum(1)
    return torch.searchsorted(reached, (uniform * reached[:, -1]).unsqueeze(1), right=True).squeeze(1)
