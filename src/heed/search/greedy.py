"""The most probable word at every step."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heed.search.model import Memory, Model, State
from heed.search.prefix import Prefix
from heed.search.repetition import Repetition
from heed.search.top import top

Choose = Callable[[Float[Tensor, "alive vocab"], Int[Tensor, " alive"], int], Int[Tensor, " alive"]]
"""The next word of each row, from the log-probabilities of all words, the rows' numbers, and the position."""


class Hypothesis(NamedTuple):
    """A translation, and where the model looked for each of its pieces.

    `ids` holds neither BOS nor EOS. `attention` has a row for each of them in turn, and a last one for EOS where the
    model wrote it; its columns are the source's pieces and the source's EOS. `score` is a log-probability in nats.
    """

    ids: list[int]
    score: float
    attention: Float[Tensor, "tgt src"]


def greedy(
    model: Model[State, Memory],
    src: Int[Tensor, "batch src"],
    src_len: Int[Tensor, " batch"],
    bos_id: int,
    eos_id: int,
    max_len: int | None = None,
    no_repeat_ngram: int | None = None,
    min_len: int | None = None,
    prefix: Prefix | None = None,
) -> list[Hypothesis]:
    """One hypothesis a sentence, no longer than `limits`; sentences leave the batch when they are finished.

    With `no_repeat_ngram`, no run of so many pieces is written twice. With `min_len`, EOS follows after so many pieces
    at the earliest.
    """

    def most_probable(log_probability: Float[Tensor, "alive vocab"], *_: object) -> Int[Tensor, " alive"]:
        return top(log_probability, 1).indices[:, 0]

    return write(model, src, src_len, bos_id, eos_id, max_len, most_probable, no_repeat_ngram, min_len, prefix=prefix)


@torch.inference_mode()
def write(
    model: Model[State, Memory],
    src: Int[Tensor, "batch src"],
    src_len: Int[Tensor, " batch"],
    bos_id: int,
    eos_id: int,
    max_len: int | None,
    choose: Choose,
    no_repeat_ngram: int | None = None,
    min_len: int | None = None,
    times: int = 1,
    prefix: Prefix | None = None,
) -> list[Hypothesis]:
    """`times` hypotheses a sentence, one after the other, of words that `choose` chooses without ever going back.

    `choose` sees log-probabilities of minus infinity for what a prefix, `no_repeat_ngram` or `min_len` rules
    out.
    """
    limit = limits(src_len, max_len, prefix, min_len).repeat_interleave(times)
    state, memory = model.encode(src, src_len)
    alive = torch.arange(len(limit), device=src.device)
    if times > 1:
        state, memory = state.select(alive // times), memory.select(alive // times)
    token, score = torch.full_like(alive, bos_id), torch.zeros(len(limit), device=src.device)
    repetition = Repetition.blocked(no_repeat_ngram, len(limit), src.device)
    steps = []
    for position in range(int(limit.max())):
        logits, state, weights = model.step(token, state, memory)
        log_probability = torch.log_softmax(logits.float(), dim=1)
        if repetition is not None:
            log_probability = repetition.constrain(log_probability, prefix, alive // times)
        if prefix is not None:
            log_probability = prefix.constrain(log_probability, alive // times, position)
        if min_len is not None and position < min_len:
            log_probability = without_end(log_probability, eos_id)
        token = choose(log_probability, alive, position)
        score[alive] += log_probability.gather(1, token.unsqueeze(1)).squeeze(1)
        steps.append((alive, token, weights.float()))
        going_on = ((token != eos_id) & (position + 1 < limit[alive])).nonzero().squeeze(1)
        if len(going_on) == 0:
            break
        if repetition is not None:
            repetition.grow(going_on, token[going_on])
        if len(going_on) < len(alive):
            alive, token = alive[going_on], token[going_on]
            state, memory = state.select(going_on), memory.select(going_on)
    ids = torch.full((len(limit), len(steps)), eos_id, device=src.device)
    attention = torch.zeros(len(limit), len(steps), src.size(1), device=src.device)
    for position, (rows, written, looked) in enumerate(steps):
        ids[rows, position], attention[rows, position] = written, looked
    attention = attention.cpu()  # at once: a copy for each sentence would wait for a GPU as often
    length = src_len.repeat_interleave(times).tolist()
    return [
        cut(words[:end], total, weights[:end, :columns], eos_id)
        for words, total, weights, columns, end in zip(
            ids.tolist(), score.tolist(), attention, length, limit.tolist(), strict=True
        )
    ]


SHORTEST_LIMIT = 40
"""Pieces that a translation may have however short its source: `Run!` may be `Prenez vos jambes à votre cou !`, and a
word that is one piece in one language can be ten letters in another."""


def longest(pieces: int) -> int:
    """The most pieces that a translation of so many may have if no limit is given."""
    return max(2 * pieces + 10, SHORTEST_LIMIT)


def limits(
    src_len: Int[Tensor, " batch"], max_len: int | None, prefix: Prefix | None = None, min_len: int | None = None
) -> Int[Tensor, " batch"]:
    """The most pieces that each translation may have: `max_len`, or those of `longest` but at least `min_len`.

    An untrained model rarely writes EOS at all. A sentence's limit hangs on nothing that stands beside it, so neither
    does its translation. `src_len` counts EOS. A prefix counts, and is never cut: one that is as long as the limit is
    the whole translation.
    """
    if max_len is not None and max_len < 1:
        raise ValueError(f"max_len must be at least 1, got {max_len}")
    if min_len is not None and (min_len < 1 or (max_len is not None and min_len > max_len)):
        raise ValueError(f"min_len must be at least 1 and at most max_len, got min_len={min_len} and max_len={max_len}")
    least = max(SHORTEST_LIMIT, min_len or 0)
    limit = (2 * (src_len - 1) + 10).clamp(min=least) if max_len is None else torch.full_like(src_len, max_len)
    return limit if prefix is None else torch.maximum(limit, prefix.length)


def without_end(log_probability: Float[Tensor, "rows vocab"], eos_id: int) -> Float[Tensor, "rows vocab"]:
    """The log-probabilities of one step, minus infinity for EOS, except in a row where nothing else is possible.

    What remains keeps its value, so a score is the model's own.
    """
    others = log_probability.index_fill(1, torch.tensor([eos_id], device=log_probability.device), -torch.inf)
    return torch.where(others.isfinite().any(1, keepdim=True), others, log_probability)


def cut(ids: list[int], score: float, attention: Float[Tensor, "steps src"], eos_id: int) -> Hypothesis:
    """The hypothesis up to its first EOS, whose row of attention is kept."""
    end = ids.index(eos_id) if eos_id in ids else len(ids)
    return Hypothesis(ids[:end], score, attention[: end + 1])
