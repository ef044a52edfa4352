"""Decoder steps with changed attention weights, to test whether the decoder still writes the same word.

At one step, after the true words before it, the weights are replaced, and the decoder predicts the next word with them
(Moradi et al. 2019, arXiv 1910.00139). Nothing else is changed, and the next step starts from the unchanged state
again.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heed.attribution import Pair
from heed.models.decoder import Weights
from heed.models.seq2seq import Seq2Seq
from heed.passes import alone, by_length, padded
from heed.text.subwords import BOS

COUNTERFACTUAL = ("permuted", "uniform", "without_maximum")
"""The weights permuted so that their maximum moves; uniform weights; the maximum set to zero."""

CONTROL = "control"
"""A randomly drawn weight, not the maximum, set to zero (Serrano and Smith 2019, arXiv 1906.03731)."""

CHANGES = (*COUNTERFACTUAL, CONTROL)

TINY = torch.finfo(torch.float32).tiny


class Counterfactual(NamedTuple):
    """The effect of changed weights on a translation: a row for each of `CHANGES`, a column for each subword.

    `same` is true if the most probable subword stays the same. The distances compare distributions of the next subword:
    total variation from 0 to 1, Jensen-Shannon divergence in nats, from 0 to log 2.
    """

    same: Bool[Tensor, "changes tgt"]
    total_variation: Float[Tensor, "changes tgt"]
    divergence: Float[Tensor, "changes tgt"]


class Draws(NamedTuple):
    """Random numbers for a step: a sort key for each position, padding last, and one number from 0 to 1."""

    keys: Float[Tensor, "batch src"]
    choice: Float[Tensor, " batch"]


def counterfactuals(model: Seq2Seq, pairs: Sequence[Pair], rows: int) -> Iterator[dict[int, Counterfactual]]:
    """Yield, batch by batch, the position of each pair and the effect of changed weights on its target.

    The random numbers depend only on the pair, and so do the results.
    """
    for chosen in by_length([len(pair.tgt) for pair in pairs], rows):
        with alone(next(model.parameters()).device):
            results = _counterfactuals(model, [pairs[index] for index in chosen])
        yield dict(zip(chosen, results, strict=True))


@torch.inference_mode()
def _counterfactuals(model: Seq2Seq, pairs: Sequence[Pair]) -> list[Counterfactual]:
    src, src_len = padded([pair.src for pair in pairs], model)
    tgt_in, _ = padded([[BOS, *pair.tgt[:-1]] for pair in pairs], model)
    state, memory = model.encode(src, src_len)
    keys, choices = _draws(pairs, src.size(1), tgt_in.size(1))
    steps = []
    for position, token in enumerate(tgt_in.unbind(1)):
        weights = model.decoder.weigh(token, state, memory)
        draws = Draws(keys[:, position].to(src.device), choices[:, position].to(src.device))
        others = [change(weights, memory.mask, draws) for change in CHANGED]
        other_logits = [model.decoder.step(token, state, memory, other)[0] for other in others]
        logits, state, _ = model.decoder.step(token, state, memory, weights)
        steps.append(_compared(logits, torch.stack(other_logits)))
    parts = [torch.stack(part, dim=2).cpu() for part in zip(*steps, strict=True)]
    return [
        Counterfactual(*(part[:, row, : len(pair.tgt)].clone() for part in parts)) for row, pair in enumerate(pairs)
    ]


def _draws(
    pairs: Sequence[Pair], width: int, steps: int
) -> tuple[Float[Tensor, "batch tgt src"], Float[Tensor, "batch tgt"]]:
    keys = (2.0 + torch.arange(width)).repeat(len(pairs), steps, 1)
    choices = torch.zeros(len(pairs), steps)
    for row, pair in enumerate(pairs):
        generator = torch.Generator().manual_seed(zlib.crc32(str((pair.src, pair.tgt)).encode()))
        keys[row, : len(pair.tgt), : len(pair.src)] = torch.rand(len(pair.tgt), len(pair.src), generator=generator)
        choices[row, : len(pair.tgt)] = torch.rand(len(pair.tgt), generator=generator)
    return keys, choices


def words_preserved(result: Counterfactual, word_index: Sequence[int]) -> dict[str, list[bool]]:
    """For each word whether all its subwords stay the same.

    By change: each of `CHANGES`, and `any` and `every` of `COUNTERFACTUAL`. `word_index` has the word of each subword;
    a word without a subword is left out.
    """
    pieces: dict[int, list[int]] = {}
    for piece, word in enumerate(word_index):
        pieces.setdefault(word, []).append(piece)
    same = {
        name: [bool(row[own].all()) for own in (pieces[word] for word in sorted(pieces))]
        for name, row in zip(CHANGES, result.same, strict=True)
    }
    three = list(zip(*(same[name] for name in COUNTERFACTUAL), strict=True))
    return {**same, "any": [any(word) for word in three], "every": [all(word) for word in three]}


def _compared(
    logits: Float[Tensor, "batch vocab"], others: Float[Tensor, "changes batch vocab"]
) -> tuple[Bool[Tensor, "changes batch"], Float[Tensor, "changes batch"], Float[Tensor, "changes batch"]]:
    log_p, log_q = torch.log_softmax(logits.float(), dim=-1), torch.log_softmax(others.float(), dim=-1)
    p, q = log_p.exp(), log_q.exp()
    between = (p + q).div_(2)
    # the entropies of p and q reuse the logarithms, which takes half the time of `jensen_shannon`
    entropies = (_negative_entropy(p, log_p) + _negative_entropy(q, log_q)) / 2
    divergence = entropies - _negative_entropy(between, between.clamp(min=TINY).log())
    return logits.argmax(-1) == others.argmax(-1), (p - q).abs().sum(-1) / 2, divergence.clamp(min=0)


def _negative_entropy(
    p: Float[Tensor, "*shape vocab"], log_p: Float[Tensor, "*shape vocab"]
) -> Float[Tensor, "*shape"]:
    total: Tensor = torch.linalg.vecdot(p, log_p)
    return total


def jensen_shannon(p: Float[Tensor, "*shape outcomes"], q: Float[Tensor, "*more outcomes"]) -> Float[Tensor, "..."]:
    """The Jensen-Shannon divergence of two distributions, in nats."""
    entropy = torch.special.entr
    divergence: Tensor = (entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2).sum(-1).clamp(min=0)
    return divergence


def permuted(weights: Weights, mask: Bool[Tensor, "batch src"], draws: Draws) -> Weights:
    """The weights of the real positions in a random order that moves the maximum."""
    # masked positions keep their place
    last = 2.0 + torch.arange(mask.size(1), device=mask.device)
    order, top = torch.where(mask, draws.keys, last).argsort(dim=1), _maximum(weights)
    beside = (top + 1) % mask.sum(1)
    at_top, at_beside = (order.gather(1, index.unsqueeze(1)) for index in (top, beside))
    stays = (at_top == top.unsqueeze(1)).squeeze(1)
    moved = order.scatter(1, top.unsqueeze(1), at_beside).scatter(1, beside.unsqueeze(1), at_top)
    order = torch.where(stays.unsqueeze(1), moved, order)
    return weights.gather(1, _like(order, weights))


def uniform(weights: Weights, mask: Bool[Tensor, "batch src"], draws: Draws) -> Weights:
    """Equal weights for all real positions."""
    even = mask.to(weights.dtype) / mask.sum(1, keepdim=True)
    return _like(even, weights)


def without_maximum(weights: Weights, mask: Bool[Tensor, "batch src"], draws: Draws) -> Weights:
    """The weights with the largest one set to zero and the others scaled to sum to 1."""
    return without(weights, mask, _maximum(weights))


def without_another(weights: Weights, mask: Bool[Tensor, "batch src"], draws: Draws) -> Weights:
    """The same with a randomly drawn weight that is not the largest."""
    top, others = _maximum(weights), mask.sum(1) - 1
    drawn = (draws.choice * others).long()
    return without(weights, mask, (drawn + (drawn >= top).long()) % (others + 1))


CHANGED: tuple[Callable[[Weights, Tensor, Draws], Weights], ...] = (permuted, uniform, without_maximum, without_another)
"""In the order of `CHANGES`."""


def without(weights: Weights, mask: Bool[Tensor, "batch src"], position: Int[Tensor, " batch"]) -> Weights:
    """The weight of one position set to zero; if the others are all zero, they become uniform."""
    real = mask.scatter(1, position.unsqueeze(1), False)
    left = weights * _like(real, weights)
    total = left.sum(1, keepdim=True)
    even = _like(real.to(weights.dtype) / real.sum(1, keepdim=True).clamp(min=1), weights)
    return torch.where(total > 0, left / total.clamp(min=torch.finfo(total.dtype).tiny), even)


def _maximum(weights: Weights) -> Int[Tensor, " batch"]:
    """The position of the largest weight; of several heads, of the largest mean."""
    mean = weights if weights.dim() == 2 else weights.mean(2)
    return mean.argmax(1)


def _like(rows: Tensor, weights: Weights) -> Tensor:
    """The weights repeated for every head, if there are several."""
    return rows if weights.dim() == 2 else rows.unsqueeze(2).expand_as(weights)
