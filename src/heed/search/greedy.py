"""The most probable word at every step."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heed.models.seq2seq import Seq2Seq


class Hypothesis(NamedTuple):
    """A translation, and where the model looked for each of its pieces.

    `ids` holds neither BOS nor EOS. `attention` has a row for each of them in turn, and a last one for EOS where the
    model wrote it; its columns are the source's pieces and the source's EOS. `score` is a log-probability in nats.
    """

    ids: list[int]
    score: float
    attention: Float[Tensor, "tgt src"]


@torch.inference_mode()
def greedy(
    model: Seq2Seq,
    src: Int[Tensor, "batch src"],
    src_len: Int[Tensor, " batch"],
    bos_id: int,
    eos_id: int,
    max_len: int | None = None,
) -> list[Hypothesis]:
    """One hypothesis a sentence, no longer than `limits`; sentences leave the batch when they are finished."""
    if max_len is not None and max_len < 1:
        raise ValueError(f"max_len must be at least 1, got {max_len}")
    batch, width = src.shape
    limit = limits(src_len, max_len)
    longest = int(limit.max())
    state, memory = model.encode(src, src_len)
    ids = torch.full((batch, longest), eos_id, device=src.device)
    attention = torch.zeros(batch, longest, width, device=src.device)
    score = torch.zeros(batch, device=src.device)
    alive = torch.arange(batch, device=src.device)
    token = torch.full_like(alive, bos_id)
    for position in range(longest):
        logits, state, weights = model.step(token, state, memory)
        log_probability, token = torch.log_softmax(logits.float(), dim=1).max(dim=1)
        ids[alive, position], attention[alive, position] = token, weights.float()
        score[alive] += log_probability
        going_on = ((token != eos_id) & (position + 1 < limit[alive])).nonzero().squeeze(1)
        if len(going_on) == 0:
            break
        if len(going_on) < len(alive):
            alive, token = alive[going_on], token[going_on]
            state, memory = state.select(going_on), memory.select(going_on)
    return [
        cut(sentence[:end], float(total), weights[:end, :length], eos_id)
        for sentence, total, weights, length, end in zip(
            ids.tolist(), score, attention, src_len.tolist(), limit.tolist(), strict=True
        )
    ]


def limits(src_len: Int[Tensor, " batch"], max_len: int | None) -> Int[Tensor, " batch"]:
    """The most pieces that each translation may have: `max_len`, or twice those of its own source and ten.

    The second covers any pair of languages in use, and an untrained model rarely writes EOS at all. A sentence's limit
    hangs on nothing that stands beside it, so neither does its translation. `src_len` counts EOS.
    """
    return 2 * (src_len - 1) + 10 if max_len is None else torch.full_like(src_len, max_len)


def cut(ids: list[int], score: float, attention: Float[Tensor, "steps src"], eos_id: int) -> Hypothesis:
    """The hypothesis up to its first EOS, whose row of attention is kept."""
    end = ids.index(eos_id) if eos_id in ids else len(ids)
    return Hypothesis(ids[:end], score, attention[: end + 1])
