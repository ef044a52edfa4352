"""What a model could write next: whole words, with their probabilities."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from heed.search.model import Model
from heed.search.top import top

LONGEST_WORD = 16
"""Pieces of a word at most: a model may repeat one for ever."""


class NextWord(NamedTuple):
    """The pieces of a word, or none for the end of the translation; and the probability of all of them."""

    ids: list[int]
    probability: float


@torch.inference_mode()
def next_words(
    model: Model[Any, Any],
    src: Int[Tensor, "one src"],
    prefix: Sequence[int],
    opens: Bool[Tensor, " vocab"],
    bos_id: int,
    eos_id: int,
    count: int,
) -> list[NextWord]:
    """The most probable words after a beginning, best first.

    Each begins with another piece, and goes on with the most probable pieces until one opens the next word.

    Args:
        model: the model.
        src: the pieces of one sentence, EOS among them.
        prefix: the pieces that the translation begins with; they end with a whole word.
        opens: the pieces that open a word. If all do, a word is a piece.
        bos_id: what a translation starts from.
        eos_id: what ends it.
        count: words at most.
    """
    opens = opens.clone()
    opens[eos_id] = True
    state, memory = model.encode(src, torch.tensor([src.size(1)], device=src.device))
    for piece in [bos_id, *prefix]:
        logits, state, _ = model.step(torch.tensor([piece], device=src.device), state, memory)
    values = torch.log_softmax(logits.float(), dim=1)
    possible = opens if prefix else torch.ones_like(opens)
    best = top(values.masked_fill(~possible, -torch.inf), min(count, int(possible.sum())))
    sums: list[float] = best.values[0].tolist()
    ids: list[list[int]] = [[first] for first in best.indices[0].tolist()]
    growing = [row for row, own in enumerate(ids) if own != [eos_id]]
    rows = torch.zeros(len(growing), dtype=torch.long, device=src.device)
    while growing and len(ids[growing[0]]) < LONGEST_WORD:
        state, memory = state.select(rows), memory.select(rows)
        token = torch.tensor([ids[row][-1] for row in growing], device=src.device)
        logits, state, _ = model.step(token, state, memory)
        value, likeliest = torch.log_softmax(logits.float(), dim=1).max(dim=1)
        rows = (~opens[likeliest]).nonzero().squeeze(1)
        growing = [growing[row] for row in rows.tolist()]
        for row, more, next_piece in zip(growing, value[rows].tolist(), likeliest[rows].tolist(), strict=True):
            sums[row] += more
            ids[row].append(next_piece)
    words = [NextWord([] if own == [eos_id] else own, math.exp(total)) for own, total in zip(ids, sums, strict=True)]
    return sorted(words, key=lambda word: -word.probability)
