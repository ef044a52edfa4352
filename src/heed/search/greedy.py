"""Greedy search: the most probable subword at every step."""

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
"""A function that chooses the next subword of each row, from log-probabilities, row numbers and position."""


class Hypothesis(NamedTuple):
    """A translation and its attention.

    `ids` contains neither BOS nor EOS. `attention` has a row for each id, and a last one for EOS if the model wrote it;
    its columns are the source's subwords and the source's EOS. `score` is a log-probability in nats.
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
    """Greedy search: one hypothesis for each sentence, up to `limits`; finished sentences leave the batch.

    Args:
        model: the model.
        src: subword ids of the sources, with EOS, padded.
        src_len: the lengths of the sources, including EOS.
        bos_id, eos_id: the ids of BOS and EOS in the target vocabulary.
        max_len: the largest number of subwords of a translation; None for `longest`.
        no_repeat_ngram: no translation repeats a run of this many subwords; None for no limit.
        min_len: no translation has fewer subwords; None for no limit.
        prefix: the beginnings of the translations.

    Raises:
        ValueError: an argument is out of range.
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
    """Write `times` hypotheses for each sentence, with subwords chosen by `choose`.

    `choose` gets log-probabilities of minus infinity for subwords that a prefix, `no_repeat_ngram` or `min_len`
    rules out. The other arguments are those of `greedy`. The hypotheses of a sentence are consecutive in the result.
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
    attention = attention.cpu()  # one copy; a copy for each sentence would wait for the GPU each time
    length = src_len.repeat_interleave(times).tolist()
    return [
        cut(words[:end], total, weights[:end, :columns], eos_id)
        for words, total, weights, columns, end in zip(
            ids.tolist(), score.tolist(), attention, length, limit.tolist(), strict=True
        )
    ]


LONGEST = 1_000_000
"""The largest number of subwords of a translation that can be asked for."""

SHORTEST_LIMIT = 40
"""The length limit for very short sources: `Run!` may become `Prenez vos jambes à votre cou !`, and a word that is one
subword in one language can be ten letters in another."""


def longest(pieces: int) -> int:
    """The default limit of a translation's length, for a source of so many subwords."""
    return max(2 * pieces + 10, SHORTEST_LIMIT)


def limits(
    src_len: Int[Tensor, " batch"], max_len: int | None, prefix: Prefix | None = None, min_len: int | None = None
) -> Int[Tensor, " batch"]:
    """The largest number of subwords of each translation: `max_len`, or the default of `longest`, EOS included.

    An untrained model rarely writes EOS. The default has room for `min_len` and EOS. The limit of a sentence does not
    depend on the rest of the batch, so neither does its translation. `src_len` includes EOS. A prefix counts for the
    limit but is never cut: if it is as long as the limit, it is the whole translation.

    Raises:
        ValueError: `max_len` or `min_len` is below 1 or above `LONGEST`, or `min_len` is above `max_len`.
    """
    if max_len is not None and max_len < 1:
        raise ValueError(f"max_len must be at least 1, got {max_len}")
    if max_len is not None and max_len > LONGEST:
        raise ValueError(f"max_len must be at most {LONGEST}, got {max_len}")
    if min_len is not None and not 1 <= min_len <= (LONGEST if max_len is None else max_len):
        raise ValueError(f"min_len must be at least 1 and at most max_len, got min_len={min_len} and max_len={max_len}")
    least = max(SHORTEST_LIMIT, min_len + 1 if min_len else 0)
    limit = (2 * (src_len - 1) + 10).clamp(min=least) if max_len is None else torch.full_like(src_len, max_len)
    return limit if prefix is None else torch.maximum(limit, prefix.length)


def without_end(log_probability: Float[Tensor, "rows vocab"], eos_id: int) -> Float[Tensor, "rows vocab"]:
    """The log-probabilities of one step, minus infinity for EOS, except in a row where nothing else is possible.

    What remains keeps its value, so a score is the model's own.
    """
    others = log_probability.index_fill(1, torch.tensor([eos_id], device=log_probability.device), -torch.inf)
    return torch.where(others.isfinite().any(1, keepdim=True), others, log_probability)


def cut(ids: list[int], score: float, attention: Float[Tensor, "steps src"], eos_id: int) -> Hypothesis:
    """The hypothesis cut at its first EOS; the row of attention of EOS is kept."""
    end = ids.index(eos_id) if eos_id in ids else len(ids)
    return Hypothesis(ids[:end], score, attention[: end + 1])
