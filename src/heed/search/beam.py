"""Beam search over a whole batch, attention weights travelling with every hypothesis."""

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
    """One step of the sentences that were alive: the words written, the beams they grew from, where those looked.

    `row` leads from a sentence of the batch to its row here, and to 0 for one that has left.
    """

    row: Int[Tensor, " batch"]
    token: Int[Tensor, "alive beam"]
    parent: Int[Tensor, "alive beam"]
    weights: Float[Tensor, "alive grown src"]


class Ends(NamedTuple):
    """Where hypotheses end: sentence, score, words before EOS, the beam that each grew from; whether EOS came."""

    sentence: Int[Tensor, " ends"]
    score: Float[Tensor, " ends"]
    length: Int[Tensor, " ends"]
    slot: Int[Tensor, " ends"]
    finished: Bool[Tensor, " ends"]


class Growth(NamedTuple):
    """The best continuations that go on, best first, and of the `beam_size` best of all those that end."""

    score: Float[Tensor, "alive beam"]
    parent: Int[Tensor, "alive beam"]
    token: Int[Tensor, "alive beam"]
    end_score: Float[Tensor, "alive best"]
    """Minus infinity where a continuation does not end."""
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
    """Up to `n_best` hypotheses a sentence, best first; null is `beam_size`.

    A hypothesis is finished when EOS is among its sentence's `beam_size` best continuations. A sentence leaves the
    batch when `beam_size` are finished, or as soon as none that is unfinished can come among the `n_best`. Where none
    is within the words that `limits` of greedy search allow, EOS among them, the unfinished ones are returned: beside
    finished ones they would win by repeating a probable word.

    The score is the log-probability divided by ((5 + length) / 6) ** length_penalty, length counting EOS, plus
    coverage_penalty times the sum over the source's words of log(min(weights that the word had, 1)): Wu et al. 2016,
    arXiv 1609.08144, equation 14, alpha and beta. The source's EOS is no word to be covered.

    With `no_repeat_ngram`, no hypothesis has a run of so many pieces twice; with `min_len`, none is shorter.
    """
    wanted = beam_size if n_best is None else n_best
    if not 1 <= wanted <= beam_size:
        raise ValueError(
            f"n_best must be at least 1 and at most beam_size, got n_best={wanted} and beam_size={beam_size}"
        )
    if coverage_penalty < 0:
        raise ValueError(f"coverage_penalty must be at least 0, got {coverage_penalty}")
    if not -10 <= length_penalty <= 10:  # a hundred would make infinities of scores
        raise ValueError(f"length_penalty must be at least -10 and at most 10, got {length_penalty}")
    found: list[list[Hypothesis]] = [[] for _ in range(len(src))]
    needed = wanted if coverage_penalty == 0 else beam_size  # what coverage takes from a score is known at the end
    repetition = Repetition.blocked(no_repeat_ngram, len(src), src.device)
    steps, ends = _search(
        model, src, src_len, bos_id, eos_id, max_len, beam_size, length_penalty, needed, repetition, min_len, prefix
    )
    ids, attention = _trace(steps, ends)
    if coverage_penalty:
        ends = ends._replace(score=ends.score + coverage_penalty * _coverage(attention, ends, src_len))
    attention = attention.cpu()  # at once: a copy for each hypothesis would wait for a GPU as often
    order = ends.score.argsort(descending=True, stable=True).tolist()
    words, lengths = ids.tolist(), src_len.tolist()
    each = list(zip(*(part.tolist() for part in ends), strict=True))
    for index in order:
        sentence, score, length, _, finished = each[index]
        if len(found[sentence]) < wanted:
            looked = attention[index, : length + finished, : lengths[sentence]]
            found[sentence].append(Hypothesis(words[index][:length], score, looked))
    return found


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
    """Grow the beams; every step of them, and all ends that were found."""

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
        # log-probabilities only fall, so what is unfinished can gain by its length alone, and is not past the limit
        reach = growth.score[:, 0] / torch.maximum(penalty(now + 1), penalty(latest))
        done = at_limit | (count[alive] >= beam_size) | (reach <= best[alive, -1])
        going = (~done).nonzero()
        if len(going) == 0:
            break
        width = score.size(1)
        rows = (going * width + growth.parent[going.squeeze(1)]).flatten()
        state = state.select(rows)
        if len(rows) != len(token) or growth.parent.size(1) != width:
            memory = memory.select(rows)  # of a sentence's beams it is the same
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
    """Those whose score is more than minus infinity, which what is impossible has."""
    row, rank = score.isfinite().nonzero(as_tuple=True)
    lengths = torch.full_like(row, length)
    return Ends(sentence[row], score[row, rank], lengths, slot[row, rank], torch.full_like(row, finished).bool())


def _trace(steps: list[Step], ends: Ends) -> tuple[Int[Tensor, "ends steps"], Float[Tensor, "ends steps src"]]:
    """Walk back from the ends: each word names the beam that it grew from, and that beam's weights are the word's.

    What stands behind an end belongs to nothing; the row of attention at its length is that of its EOS.
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
    """Sum over the source's words of log(min(weights, 1)); a word never looked at counts as the smallest number."""
    steps, words = (torch.arange(size, device=attention.device) for size in attention.shape[1:])
    written = steps < (ends.length + ends.finished.long()).unsqueeze(1)
    had = (attention * written.unsqueeze(2)).sum(1).clamp(torch.finfo(torch.float32).tiny, 1.0)
    return had.log().masked_fill(words >= src_len[ends.sentence].unsqueeze(1) - 1, 0.0).sum(1)
