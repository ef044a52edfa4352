"""Beam search over a whole batch, attention weights travelling with every hypothesis."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heed.models.seq2seq import Seq2Seq
from heed.search.greedy import Hypothesis, limits


class Step(NamedTuple):
    """One step of every sentence's beams: the words that were written, the beams they grew from, where those looked."""

    token: list[list[int]]
    parent: list[list[int]]
    weights: Float[Tensor, "batch beam src"]


class End(NamedTuple):
    """Where a hypothesis ends: its score, its words before EOS, the beam that it grew from there; whether EOS came."""

    score: float
    length: int
    parent: int
    finished: bool


class Growth(NamedTuple):
    """The best continuations of every sentence, EOS among them, and the best that go on, best first."""

    score: Float[Tensor, "batch beam"]
    parent: Int[Tensor, "batch beam"]
    token: Int[Tensor, "batch beam"]
    ended: list[tuple[int, float, int]]


def beam(
    model: Seq2Seq,
    src: Int[Tensor, "batch src"],
    src_len: Int[Tensor, " batch"],
    bos_id: int,
    eos_id: int,
    max_len: int | None = None,
    beam_size: int = 5,
    length_penalty: float = 1.0,
) -> list[list[Hypothesis]]:
    """Up to `beam_size` hypotheses a sentence, best first.

    A hypothesis is finished when EOS is among its sentence's `beam_size` best continuations; a sentence leaves the
    batch when `beam_size` are finished. Where none is within the words that `limits` of greedy search allow, EOS among
    them, the unfinished ones are returned: beside finished ones they would win by repeating a probable word. The score
    is the log-probability divided by ((5 + length) / 6) ** length_penalty, length counting EOS (Wu et al. 2016, arXiv
    1609.08144, eq. 14).
    """
    if beam_size < 1 or (max_len is not None and max_len < 1):
        raise ValueError(f"beam_size and max_len must be at least 1, got {beam_size} and {max_len}")
    steps, ends = _search(
        model, src, src_len, bos_id, eos_id, limits(src_len, max_len).tolist(), beam_size, length_penalty
    )
    return [
        [_trace(steps, sentence, end, length) for end in sorted(found, key=lambda end: -end.score)[:beam_size]]
        for sentence, (found, length) in enumerate(zip(ends, src_len.tolist(), strict=True))
    ]


@torch.inference_mode()
def _search(
    model: Seq2Seq,
    src: Int[Tensor, "batch src"],
    src_len: Int[Tensor, " batch"],
    bos_id: int,
    eos_id: int,
    longest: list[int],
    beam_size: int,
    length_penalty: float,
) -> tuple[list[Step], list[list[End]]]:
    batch = src.size(0)
    state, memory = model.encode(src, src_len)
    alive = torch.arange(batch, device=src.device)
    every = alive.repeat_interleave(beam_size)
    state, memory = state.select(every), memory.select(every)
    token = torch.full((batch * beam_size,), bos_id, device=src.device)
    score = torch.full((batch, beam_size), -torch.inf, device=src.device)
    score[:, 0] = 0.0  # the beams of a sentence start equal: only the first may grow at the first step
    steps: list[Step] = []
    ends: list[list[End]] = [[] for _ in range(batch)]
    for position in range(max(longest)):
        logits, state, weights = model.step(token, state, memory)
        growth = _grow(score, torch.log_softmax(logits.float(), dim=1).view(*score.shape, -1), eos_id)
        penalty = ((6 + position) / 6) ** length_penalty
        names = alive.tolist()
        for row, total, parent in growth.ended:
            ends[names[row]].append(End(total / penalty, position, parent, finished=True))
        steps.append(_record(batch, alive, growth, weights.float()))
        at_limit = [position + 1 == longest[name] for name in names]
        for row, name in enumerate(names):
            if at_limit[row] and not ends[name]:
                ends[name] = _unfinished(growth.score[row] / penalty, position + 1)
        rows = [row for row, name in enumerate(names) if len(ends[name]) < beam_size and not at_limit[row]]
        if not rows:
            break
        going = torch.tensor(rows, device=src.device)
        state = state.select((going.unsqueeze(1) * beam_size + growth.parent[going]).flatten())
        if len(going) < len(names):
            memory = memory.select(_rows(going, beam_size))
        alive, score, token = alive[going], growth.score[going], growth.token[going].flatten()
    return steps, ends


def _unfinished(score: Float[Tensor, " beam"], length: int) -> list[End]:
    totals = enumerate(score.tolist())
    return [End(total, length, slot, finished=False) for slot, total in totals if total != -torch.inf]


def _rows(sentences: Int[Tensor, " chosen"], beam_size: int) -> Int[Tensor, " rows"]:
    return (sentences.unsqueeze(1) * beam_size + torch.arange(beam_size, device=sentences.device)).flatten()


def _grow(
    score: Float[Tensor, "batch beam"], log_probability: Float[Tensor, "batch beam vocab"], eos_id: int
) -> Growth:
    beam_size, vocab = log_probability.shape[1:]
    # each beam has one EOS, so among twice as many candidates there are always enough that go on
    best, flat = (score.unsqueeze(2) + log_probability).flatten(1).topk(2 * beam_size, dim=1)
    parent, token = flat // vocab, flat % vocab
    is_end: Bool[Tensor, "batch candidates"] = token == eos_id
    ended = [
        (row, float(best[row, rank]), int(parent[row, rank]))
        for row, rank in (is_end & best.isfinite())[:, :beam_size].nonzero().tolist()
    ]
    score, chosen = best.masked_fill(is_end, -torch.inf).topk(beam_size, dim=1)
    return Growth(score, parent.gather(1, chosen), token.gather(1, chosen), ended)


def _record(batch: int, alive: Int[Tensor, " alive"], growth: Growth, weights: Float[Tensor, "rows src"]) -> Step:
    alive_count, beam_size = growth.token.shape
    token = growth.token.new_zeros(batch, beam_size).index_copy(0, alive, growth.token)
    parent = growth.parent.new_zeros(batch, beam_size).index_copy(0, alive, growth.parent)
    looked = weights.new_zeros(batch, beam_size, weights.size(1))
    return Step(token.tolist(), parent.tolist(), looked.index_copy(0, alive, weights.view(alive_count, beam_size, -1)))


def _trace(steps: list[Step], sentence: int, end: End, src_len: int) -> Hypothesis:
    """Walk back from the end: each word names the beam that it grew from, and that beam's weights are the word's."""
    slot, ids, rows = end.parent, [], []
    if end.finished:
        rows.append(steps[end.length].weights[sentence, slot])
    for step in reversed(steps[: end.length]):
        ids.append(step.token[sentence][slot])
        slot = step.parent[sentence][slot]
        rows.append(step.weights[sentence, slot])
    return Hypothesis(ids[::-1], end.score, torch.stack(rows[::-1])[:, :src_len])
