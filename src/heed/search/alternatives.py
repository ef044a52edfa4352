"""Alternatives: whole words that a model could write next, with their probabilities."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from heed.search.model import Model
from heed.search.top import top

LONGEST_WORD = 16
"""The largest number of subwords of a word; otherwise a model might repeat one forever."""


class NextWord(NamedTuple):
    """The subwords of a word, or none for the end of the translation, and their joint probability."""

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
    """The most probable next words after a prefix, best first.

    Each begins with a different subword and continues with the most probable subwords until a new word begins.

    Args:
        model: the model.
        src: the subwords of one sentence, including EOS.
        prefix: the subwords that the translation begins with; they must end with a whole word.
        opens: the subwords that begin a word. If all do, each word is one subword.
        bos_id: the id of BOS.
        eos_id: the id of EOS.
        count: the largest number of words.
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
