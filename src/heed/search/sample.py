"""Words drawn by their probability: other translations of a line than the most probable one."""

import random

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heed.search.greedy import Hypothesis, limits, write
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
    """`n_best` translations a sentence, drawn independently of one another, the same one twice perhaps; best first.

    Each word is drawn from the softmax of the logits divided by `temperature` (Ackley, Hinton and Sejnowski 1985),
    among the `top_k` most probable (Fan et al. 2018, arXiv 1805.04833), and of these among the fewest that have a
    probability of `top_p` together (Holtzman et al. 2020, arXiv 1904.09751). With `no_repeat_ngram`, no run of so many
    pieces is written twice; with `min_len`, no translation is shorter. The score is the model's own log-probability,
    whatever the words were drawn from.

    The draws of a sentence hang on `seed` and on its own pieces, not on the sentences beside it or on its place: a
    text in other batches, or in parts, has the same translations, and so has a line that stands in it twice. That is of
    a model in float32: in bfloat16 one in five lines is drawn otherwise where it stands alone.
    """
    _check(temperature, top_k, top_p, n_best)
    longest = int(limits(src_len, max_len, prefix, min_len).max())
    lines = [ids[:length] for ids, length in zip(src.tolist(), src_len.tolist(), strict=True)]
    uniform = [_uniform(f"{seed} {number} {ids}", longest) for ids in lines for number in range(n_best)]
    drawn = torch.tensor(uniform, dtype=torch.float64, device=src.device)

    def choose(
        log_probability: Float[Tensor, "alive vocab"], alive: Int[Tensor, " alive"], position: int
    ) -> Int[Tensor, " alive"]:
        probability = torch.softmax(log_probability.double() / temperature, dim=1)
        return draw(among(probability, top_k, top_p), drawn[alive, position])

    found = write(model, src, src_len, bos_id, eos_id, max_len, choose, no_repeat_ngram, min_len, n_best, prefix)
    by_sentence = [found[first : first + n_best] for first in range(0, len(found), n_best)]
    return [sorted(several, key=lambda one: -one.score) for several in by_sentence]


def _check(temperature: float, top_k: int | None, top_p: float, n_best: int) -> None:
    for name, given, right, expected in (
        ("temperature", temperature, temperature > 0, "above 0; the most probable words are those of greedy search"),
        ("top_k", top_k, top_k is None or top_k >= 1, "1 or more, or null for all words"),
        ("top_p", top_p, 0 < top_p <= 1, "above 0 and at most 1"),
        ("n_best", n_best, n_best >= 1, "1 or more"),
    ):
        if not right:
            raise ValueError(f"{name}={given}, expected {expected}")


def _uniform(key: str, count: int) -> list[float]:
    """Numbers in [0, 1) that a key alone decides; fewer of them are the first of more."""
    generator = random.Random(key)
    return [generator.random() for _ in range(count)]


def among(probability: Float[Tensor, "rows vocab"], top_k: int | None, top_p: float) -> Float[Tensor, "rows vocab"]:
    """The probabilities that are left to draw from, as they were; zero for all others."""
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
    """The word within whose share of the whole probability `uniform` falls: one draw, made by one number in [0, 1)."""
    reached = probability.cumsum(1)
    return torch.searchsorted(reached, (uniform * reached[:, -1]).unsqueeze(1), right=True).squeeze(1)
