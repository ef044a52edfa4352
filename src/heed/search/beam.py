"""Beam search over a whole batch, which keeps the attention weights of every hypothesis."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heed.search.greedy import Hypothesis, limits, without_end
from heed.search.model import Memory, Model, State
from heed.search.prefix import Prefix
from heed.search.repetition import Repetition
from heed.search.top import top


class Step(NamedTuple):
    """One step of the unfinished sentences: the subwords, the beams that they extend, and the attention of those beams.

    `row` has for each sentence of the batch its row here, or 0 if it is finished.
    """

    row: Int[Tensor, " batch"]
    token: Int[Tensor, "alive beam"]
    parent: Int[Tensor, "alive beam"]
    weights: Float[Tensor, "alive grown src"]


class Ends(NamedTuple):
    """Ends of hypotheses: sentence, score, subwords before EOS, the beam extended, and whether EOS was written."""

    sentence: Int[Tensor, " ends"]
    score: Float[Tensor, " ends"]
    length: Int[Tensor, " ends"]
    slot: Int[Tensor, " ends"]
    finished: Bool[Tensor, " ends"]


class Growth(NamedTuple):
    """The best unfinished continuations, best first, and those of the `beam_size` best that end."""

    score: Float[Tensor, "alive beam"]
    parent: Int[Tensor, "alive beam"]
    token: Int[Tensor, "alive beam"]
    end_score: Float[Tensor, "alive best"]
    """Minus infinity for continuations that do not end."""
    end_parent: Int[Tensor, "alive best"]


def beam(
    model: Model[State, Memory],
    src: Int[Tensor, "batch src"],
    src_len: Int[Tensor, " batch"],
    bos_id: int,
    eos_id: int,
    max_len: int | None = None,
    beam_size: int = 5,
    length_penalty: float = 1.0,
    coverage_penalty: float = 0.0,
    n_best: int | None = None,
    no_repeat_ngram: int | None = None,
    min_len: int | None = None,
    prefix: Prefix | None = None,
) -> list[list[Hypothesis]]:
    """Beam search: up to `n_best` hypotheses for each sentence, best first; None means `beam_size`.

    A hypothesis is finished if EOS is among the `beam_size` best continuations of its sentence. A sentence leaves the
    batch when `beam_size` hypotheses are finished, or when no unfinished one can reach the `n_best` any more.
    Unfinished hypotheses are returned only if none is finished within the `limits` of greedy search, EOS included,
    because they could otherwise win by repeating a probable word.

    The score is the log-probability divided by ((5 + length) / 6) ** length_penalty, where the length includes EOS,
    plus coverage_penalty times the sum over source positions of log(min(sum of its attention weights, 1)) (Wu et al.
    2016, arXiv 1609.08144, equation 14, with alpha and beta). The source's EOS does not count for coverage.

    Args:
        model: the model.
        src: subword ids of the sources, with EOS, padded.
        src_len: the lengths of the sources, including EOS.
        bos_id, eos_id: the ids of BOS and EOS in the target vocabulary.
        max_len: the largest number of subwords of a translation; None for `heed.search.greedy.longest`.
        beam_size: the number of hypotheses that are kept for each sentence.
        length_penalty: alpha; 0 for none.
        coverage_penalty: beta; 0 for none.
        n_best: the number of hypotheses to return for each sentence; None for `beam_size`.
        no_repeat_ngram: no hypothesis repeats a run of this many subwords; None for no limit.
        min_len: no translation has fewer subwords; None for no limit.
        prefix: the beginnings of the translations.

    Raises:
        ValueError: an argument is out of range.
    """
    wanted = beam_size if n_best is None else n_best
    if not 1 <= wanted <= beam_size:
        raise ValueError(
            f"n_best must be at least 1 and at most beam_size, got n_best={wanted} and beam_size={beam_size}"
        )
    if not 0 <= coverage_penalty <= 1000:  # with an infinite one, all scores would be
        raise ValueError(f"coverage_penalty must be at least 0 and at most 1000, got {coverage_penalty}")
    if not -10 <= length_penalty <= 10:  # with a hundred, scores would be infinite
        raise ValueError(f"length_penalty must be at least -10 and at most 10, got {length_penalty}")
    hypotheses: list[list[Hypothesis]] = [[] for _ in range(len(src))]
    needed = wanted if coverage_penalty == 0 else beam_size  # the coverage penalty is known only at the end
    repetition = Repetition.blocked(no_repeat_ngram, len(src), src.device)
    steps, ends = _search(
        model, src, src_len, bos_id, eos_id, max_len, beam_size, length_penalty, needed, repetition, min_len, prefix
    )
    ids, attention = _trace(steps, ends)
    if coverage_penalty:
        ends = ends._replace(score=ends.score + coverage_penalty * _coverage(attention, ends, src_len))
    attention = attention.cpu()  # one copy; a copy for each hypothesis would wait for the GPU each time
    order = ends.score.argsort(descending=True, stable=True).tolist()
    words, lengths = ids.tolist(), src_len.tolist()
    listed = list(zip(*(part.tolist() for part in ends), strict=True))
    for index in order:
        sentence, score, length, _, finished = listed[index]
        if len(hypotheses[sentence]) < wanted:
            looked = attention[index, : length + finished, : lengths[sentence]]
            hypotheses[sentence].append(Hypothesis(words[index][:length], score, looked))
    return hypotheses


@torch.inference_mode()
def _search(
    model: Model[State, Memory],
    src: Int[Tensor, "batch src"],
    src_len: Int[Tensor, " batch"],
    bos_id: int,
    eos_id: int,
    max_len: int | None,
    beam_size: int,
    length_penalty: float,
    needed: int,
    repetition: Repetition | None,
    min_len: int | None,
    prefix: Prefix | None,
) -> tuple[list[Step], Ends]:
    """Extend the beams; return all steps and all ends."""

    def penalty(length: Int[Tensor, " some"]) -> Float[Tensor, " some"]:
        return ((5 + length) / 6) ** length_penalty

    batch, limit = len(src), limits(src_len, max_len, prefix, min_len)
    state, memory = model.encode(src, src_len)
    alive = torch.arange(batch, device=src.device)
    token, score = torch.full_like(alive, bos_id), torch.zeros(batch, 1, device=src.device)
    count = torch.zeros_like(alive)
    best = torch.full((batch, needed), -torch.inf, device=src.device)
    steps: list[Step] = []
    ends: list[Ends] = []
    for position in range(int(limit.max())):
        logits, state, weights = model.step(token, state, memory)
        log_probability = torch.log_softmax(logits.float(), dim=1)
        if repetition is not None:
            log_probability = repetition.constrain(log_probability, prefix, alive.repeat_interleave(score.size(1)))
        if prefix is not None:
            log_probability = prefix.constrain(log_probability, alive.repeat_interleave(score.size(1)), position)
        if min_len is not None and position < min_len:
            log_probability = without_end(log_probability, eos_id)
        growth = _grow(score, log_probability, beam_size, eos_id)
        steps.append(_record(batch, alive, growth, weights.float()))
        now, latest = torch.full_like(alive, position + 1), limit[alive]
        final = growth.end_score / penalty(now).unsqueeze(1)
        ends.append(_ends(alive, final, position, growth.end_parent, finished=True))
        count[alive] += final.isfinite().sum(1)
        best[alive] = torch.cat((best[alive], final), dim=1).topk(needed).values
        at_limit = latest == now
        if at_limit.any():
            late = (at_limit & (count[alive] == 0)).nonzero().squeeze(1)
            slots = torch.arange(growth.score.size(1), device=src.device).expand(len(late), -1)
            total = growth.score[late] / penalty(now[late]).unsqueeze(1)
            ends.append(_ends(alive[late], total, position + 1, slots, finished=False))
        # log-probabilities only fall, so an unfinished hypothesis can gain only by length, up to the limit
        reach = growth.score[:, 0] / torch.maximum(penalty(now + 1), penalty(latest))
        done = at_limit | (count[alive] >= beam_size) | (reach <= best[alive, -1])
        going = (~done).nonzero()
        if len(going) == 0:
            break
        width = score.size(1)
        rows = (going * width + growth.parent[going.squeeze(1)]).flatten()
        state = state.select(rows)
        if len(rows) != len(token) or growth.parent.size(1) != width:
            memory = memory.select(rows)  # equal for all beams of a sentence
        going = going.squeeze(1)
        alive, score, token = alive[going], growth.score[going], growth.token[going].flatten()
        if repetition is not None:
            repetition.grow(rows, token)
    return steps, Ends(*(torch.cat(parts) for parts in zip(*ends, strict=True)))


def _grow(
    score: Float[Tensor, "alive grown"], log_probability: Float[Tensor, "rows vocab"], beam_size: int, eos_id: int
) -> Growth:
    """`log_probability` is changed: added to in place, it is not written a second time."""
    width, vocab = score.size(1), log_probability.size(1)
    total = log_probability.add_(score.view(-1, 1)).view(len(score), width * vocab)
    # each beam has one EOS, so among twice as many candidates there are always enough that go on
    best, rank = top(total, min(2 * beam_size, width * vocab))
    parent, token = rank // vocab, rank % vocab
    is_end = token == eos_id
    going_on, chosen = best.masked_fill(is_end, -torch.inf).topk(min(beam_size, width * (vocab - 1)))
    end_score = best.masked_fill(~is_end, -torch.inf)[:, :beam_size]
    return Growth(going_on, parent.gather(1, chosen), token.gather(1, chosen), end_score, parent[:, :beam_size])


def _record(batch: int, alive: Int[Tensor, " alive"], growth: Growth, weights: Float[Tensor, "rows src"]) -> Step:
    row = torch.zeros(batch, dtype=torch.long, device=alive.device)
    row[alive] = torch.arange(len(alive), device=alive.device)
    return Step(row, growth.token, growth.parent, weights.view(len(alive), -1, weights.size(1)))


def _ends(
    sentence: Int[Tensor, " some"],
    score: Float[Tensor, "some best"],
    length: int,
    slot: Int[Tensor, "some best"],
    finished: bool,
) -> Ends:
    """The ends with a finite score; impossible ones have minus infinity."""
    row, rank = score.isfinite().nonzero(as_tuple=True)
    lengths = torch.full_like(row, length)
    return Ends(sentence[row], score[row, rank], lengths, slot[row, rank], torch.full_like(row, finished).bool())


def _trace(steps: list[Step], ends: Ends) -> tuple[Int[Tensor, "ends steps"], Float[Tensor, "ends steps src"]]:
    """Trace hypotheses back from their ends, by the beam that each subword extends, whose attention weights it gets.

    Positions after an end are meaningless; the row of attention at its length is that of EOS.
    """
    slot, ids, attention = ends.slot, [], []
    for position, step in reversed(list(enumerate(steps))):
        row = step.row[ends.sentence]
        ids.append(step.token[row, slot])
        slot = torch.where(position < ends.length, step.parent[row, slot], slot)
        attention.append(step.weights[row, slot])
    return torch.stack(ids[::-1], dim=1), torch.stack(attention[::-1], dim=1)


def _coverage(
    attention: Float[Tensor, "ends steps src"], ends: Ends, src_len: Int[Tensor, " batch"]
) -> Float[Tensor, " ends"]:
    """Sum over source positions of log(min(weights, 1)); weight 0 counts as the smallest positive number."""
    steps, words = (torch.arange(size, device=attention.device) for size in attention.shape[1:])
    written = steps < (ends.length + ends.finished.long()).unsqueeze(1)
    had = (attention * written.unsqueeze(2)).sum(1).clamp(torch.finfo(torch.float32).tiny, 1.0)
    return had.log().masked_fill(words >= src_len[ends.sentence].unsqueeze(1) - 1, 0.0).sum(1)
