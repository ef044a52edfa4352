"""How much each source word matters for each target word, measured by what the model computes, not by attention alone.

Attention weights say how a word's context vector was summed. These methods measure what the word's probability
depends on: its gradient, the loss of probability without a source word, or the size of each position's contribution.
"""

import logging
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from heed.errors import UserError
from heed.maps import Words
from heed.models.attention import AttentionMemory
from heed.models.decoder import State, Weights
from heed.models.seq2seq import Seq2Seq
from heed.passes import PIECES, Model, alone, by_length, device_of, padded
from heed.search.ensemble import Ensemble, mean_probability
from heed.text.subwords import BOS, EOS

log = logging.getLogger(__name__)

Method = Literal["attention", "saliency", "difference", "norm", "product", "posterior"]
"""Where the weights between source and target words come from.

`attention`: the attention weights themselves.
`saliency`: the gradient of the target word's log-probability by a source word's embedding, times that embedding (Ding
    et al. 2019, arXiv 1906.10282, section 4). Near 0 for every word if the encoder has layer normalisation, because its
    output then hardly depends on the length of an embedding, and the gradient is perpendicular to the embedding.
`difference`: by how much the target word's log-probability drops if the source word's embedding is zero (Li et al.
    2019, ACL, P19-1124, section 3.2).
`norm`: attention weights, each times the norm of its position's contribution to the decoder's input (Kobayashi et al.
    2020, arXiv 2004.10102).
`product`: attention weights times `difference`: a word counts if it was attended to and matters for the probability.
`posterior`: attention weights times the target subword's probability if only this position is attended, by Bayes' rule
    (Shankar and Sarawagi 2019, ICLR, "Posterior attention models for sequence to sequence learning", section 3).
"""

ROWS = 128
"""Rows of a batch: runs of the model that are computed together."""

NOISE = 0.05
"""Standard deviation of SmoothGrad's noise as a share of the largest difference between the embeddings' numbers."""

Progress = Callable[[int, int], object]


class Pair(NamedTuple):
    """A source and a target in subwords, the word of each subword, and the number of words; `</s>` is a word too.

    The target has no `</s>` if the translation was cut.
    """

    src: list[int]
    tgt: list[int]
    src_words: list[int]
    tgt_words: list[int]
    words: tuple[int, int]

    @classmethod
    def of(cls, src: Sequence[int], tgt: Sequence[int], words: tuple[Words, Words], finished: bool = True) -> "Pair":
        """Make a pair of two sentences that are given without `</s>`, with the words of both."""
        of_src, of_tgt = words
        end = [EOS] * finished
        return cls(
            [*src, EOS],
            [*tgt, *end],
            [*of_src.word_index, len(of_src.words)],
            [*of_tgt.word_index, *[len(of_tgt.words)] * finished],
            (len(of_src.words) + 1, len(of_tgt.words) + finished),
        )

    def positions(self, word: int) -> frozenset[int]:
        """The positions of a source word's subwords."""
        return frozenset(position for position, own in enumerate(self.src_words) if own == word)

    def span(self, word: int) -> tuple[int, int] | None:
        """The positions of a target word's first subword and of the one after its last; None if it has no subword."""
        own = [position for position, of in enumerate(self.tgt_words) if of == word]
        return (own[0], own[-1] + 1) if own else None


class Probe(NamedTuple):
    """One run of the model: the pair, the source positions whose embedding is set to zero, and the target subwords."""

    pair: int
    removed: frozenset[int]
    start: int
    end: int


class Batch(NamedTuple):
    """Probes as tensors; targets are cut after the last position that is needed."""

    src: Int[Tensor, "rows src"]
    src_len: Int[Tensor, " rows"]
    present: Bool[Tensor, "rows src"]
    tgt_in: Int[Tensor, "rows tgt"]
    tgt_out: Int[Tensor, "rows tgt"]
    asked: Bool[Tensor, "rows tgt"]


def attributions(
    model: Model,
    pairs: Sequence[Pair],
    method: Literal["saliency", "difference"],
    rows: int = ROWS,
    copies: int = 0,
    progress: Progress | None = None,
) -> list[Float[Tensor, "tgt src"]]:
    """A matrix for each pair: a row for each target word, a column for each source word, `</s>` last on both sides.

    Args:
        model: a model, or several that translate as one.
        pairs: any number of pairs; the result for a pair does not depend on the other pairs.
        method: see `Method`; only `saliency` and `difference`, which run the model once for each word.
        rows: runs of the model that are computed together.
        copies: for `saliency`, the number of noisy copies of a source whose gradients are averaged (SmoothGrad, Smilkov
            et al. 2017, arXiv 1706.03825); 0 uses the gradient at the source itself.
        progress: called with the pairs done and all pairs.

    Returns:
        Positive or negative numbers: a source word that lowers the target word's probability has a negative one.
        `shares` turns them into weights.
    """
    if method == "saliency":
        return _saliency(model, pairs, rows, copies, progress)
    return _difference(model, pairs, rows, progress)


def shares(attribution: Float[Tensor, "tgt src"]) -> Float[Tensor, "tgt src"]:
    """Rows normalised to sum to 1, as attention's do. Negative numbers become 0; a row of zeros stays zero."""
    positive = attribution.clamp(min=0)
    total = positive.sum(1, keepdim=True)
    return positive / torch.where(total > 0, total, torch.ones_like(total))


def product(attention: Float[Tensor, "tgt src"], difference: Float[Tensor, "tgt src"]) -> Float[Tensor, "tgt src"]:
    """The product of both, normalised to shares; only attention if the product is zero everywhere."""
    both = shares(attention * difference)
    return torch.where(both.any(1, keepdim=True), both, attention)


def _saliency(
    model: Model, pairs: Sequence[Pair], rows: int, copies: int, progress: Progress | None
) -> list[Float[Tensor, "tgt src"]]:
    results = [torch.zeros(pair.words[::-1]) for pair in pairs]
    asked = [(number, word) for number, pair in enumerate(pairs) for word in range(pair.words[1]) if pair.span(word)]
    for (number, word), row in zip(asked, saliency(model, pairs, asked, rows, copies, progress), strict=True):
        results[number][word] = row
    return results


def saliency(
    model: Model,
    pairs: Sequence[Pair],
    asked: Sequence[tuple[int, int]],
    rows: int = ROWS,
    copies: int = 0,
    progress: Progress | None = None,
) -> list[Float[Tensor, " src"]]:
    """The saliency of each source word, `</s>` last, for each (pair, target word)."""
    if any(isinstance(part, nn.LayerNorm) for part in model.modules()):
        log.warning(
            "saliency says nothing about a model with layer normalisation: the gradient times the embedding is near 0 "
            "for every word; prediction difference is not affected"
        )
    probes = [Probe(number, frozenset(), *(pairs[number].span(word) or (0, 0))) for number, word in asked]
    results = [torch.zeros(pairs[number].words[0]) for number, _ in asked]
    for chosen, batch in _batches(model, pairs, probes, rows, progress):
        with alone(batch.src.device):
            salient = _gradient_times_embedding(model, batch, copies).float().cpu()
        for index, row in zip(chosen, salient, strict=True):
            own = pairs[probes[index].pair].src_words
            results[index].index_add_(0, torch.tensor(own), row[: len(own)])
    return results


def _gradient_times_embedding(model: Model, batch: Batch, copies: int) -> Float[Tensor, "rows src"]:
    """Gradient of each row's log-probability by the embeddings, times these; summed over several models."""
    members = _members(model)
    embedded = [member.encoder.embed(batch.src).detach() for member in members]
    total = torch.zeros(batch.src.shape, device=batch.src.device, dtype=embedded[0].dtype)
    for copy in range(max(1, copies)):
        noisy = [emb + _noise(batch, emb, copy) if copies else emb.clone() for emb in embedded]
        with torch.enable_grad():
            inputs = [emb.requires_grad_() for emb in noisy]
            wanted = _log_probabilities(members, batch, inputs).sum()
            gradients = torch.autograd.grad(wanted, inputs)
        total += torch.stack([(slope * emb).sum(2) for slope, emb in zip(gradients, embedded, strict=True)]).sum(0)
    return total / max(1, copies)


def _noise(batch: Batch, emb: Float[Tensor, "rows src emb"], copy: int) -> Float[Tensor, "rows src emb"]:
    """Noise that depends only on a row's own source and on the number of the copy."""
    noise = torch.zeros(emb.shape)
    for row, length in enumerate(batch.src_len.tolist()):
        own = batch.src[row, :length]
        generator = torch.Generator().manual_seed(zlib.crc32(str([copy, *own.tolist()]).encode()))
        spread = float(emb[row, :length].max() - emb[row, :length].min())
        noise[row, :length] = torch.randn(length, emb.size(2), generator=generator) * NOISE * spread
    return noise.to(emb)


def _difference(
    model: Model, pairs: Sequence[Pair], rows: int, progress: Progress | None
) -> list[Float[Tensor, "tgt src"]]:
    probes = [
        Probe(number, removed, 0, len(pair.tgt))
        for number, pair in enumerate(pairs)
        for removed in (frozenset[int](), *(pair.positions(word) for word in range(pair.words[0])))
        if pair.tgt
    ]
    results = [torch.zeros(pair.words[::-1]) for pair in pairs]
    log_probability = iter(log_probabilities(model, pairs, probes, rows, progress))
    for result, pair in zip(results, pairs, strict=True):
        if pair.tgt:
            whole = next(log_probability)
            drops = torch.stack([whole - next(log_probability) for _ in range(pair.words[0])], dim=1)
            result.index_add_(0, torch.tensor(pair.tgt_words), drops.to(result))
    return results


def log_probabilities(
    model: Model, pairs: Sequence[Pair], probes: Sequence[Probe], rows: int = ROWS, progress: Progress | None = None
) -> list[Float[Tensor, " asked"]]:
    """For each probe the log-probability, in nats, of each of its target subwords, given the true ones before it."""
    results = [torch.zeros(0)] * len(probes)
    for chosen, batch in _batches(model, pairs, probes, rows, progress):
        with alone(batch.src.device), torch.inference_mode():
            members = _members(model)
            present = batch.present.unsqueeze(2)
            embedded = [member.encoder.embed(batch.src) * present for member in members]
            answers = _log_probabilities(members, batch, embedded).cpu()
        each = answers.clone().split([probes[index].end - probes[index].start for index in chosen])
        for index, answer in zip(chosen, each, strict=True):
            results[index] = answer
    return results


def norm_weights(
    model: Model, pairs: Sequence[Pair], rows: int = ROWS, progress: Progress | None = None
) -> list[Float[Tensor, "tgt src"]]:
    """Attention between subwords, each weight times the norm of its position's transformed value; rows sum to 1.

    The contribution of position j to a step is linear in its value v_j: W v_j in the GRU's input, and R v_j in the
    readout. The norm is that of both vectors concatenated. If attention has several heads, their mean is used.
    """
    results = [torch.zeros(0, len(pair.src)) for pair in pairs]
    probes = [Probe(number, frozenset(), 0, len(pair.tgt)) for number, pair in enumerate(pairs)]
    for chosen, batch in _batches(model, pairs, probes, rows, progress):
        with alone(batch.src.device), torch.inference_mode():
            weights = torch.stack([_normed(member, batch) for member in _members(model)]).mean(0)
        for index, row in zip(chosen, weights.float().cpu(), strict=True):
            pair = pairs[index]
            results[index] = shares(row[: len(pair.tgt), : len(pair.src)])
    return results


def _normed(model: Seq2Seq, batch: Batch) -> Float[Tensor, "rows tgt src"]:
    state, memory = model.start(model.encoder.embed(batch.src), batch.src_len)
    decoder, size = model.decoder, memory.values.size(2)
    read = decoder.attention.attn_combine.weight[:, -size:]
    hid = state.hidden.size(2)
    written = decoder.readout.weight[:, hid : hid + size]
    transformed = memory.values @ torch.cat((read, written)).t()
    weights: Tensor = decoder(batch.tgt_in, state, memory).weights
    normed: Tensor = weights * transformed.norm(dim=2).unsqueeze(1)
    return normed


def posteriors(
    model: Model, pairs: Sequence[Pair], rows: int = ROWS, progress: Progress | None = None
) -> list[Float[Tensor, "tgt src"]]:
    """Attention between subwords after the target subword is known; rows sum to 1.

    The weight a_j is taken as the prior probability that subword t translates position j. The posterior probability is
    a_j p(t | j) / Σ_i a_i p(t | i), where p(t | j) is the probability of t in a step that attends only to j, after the
    true subwords and steps before it. For several models, weights and probabilities are averaged.

    Args:
        rows: steps, each attending to one position, that are computed together.
        progress: called with the pairs done and all pairs.
    """
    results = [torch.zeros(0, len(pair.src)) for pair in pairs]
    done = 0
    # this length gives batches with `rows` source positions, but at least one pair
    for chosen in by_length([len(pair.src) * PIECES // rows if pair.tgt else 0 for pair in pairs], rows):
        with alone(device_of(model)):
            posterior = _posteriors(_members(model), [pairs[index] for index in chosen])
        for index, row in zip(chosen, posterior.float().cpu(), strict=True):
            results[index] = row[: len(pairs[index].tgt), : len(pairs[index].src)].clone()
        done += len(chosen)
        if progress is not None:
            progress(done, len(pairs))
    return results


@torch.inference_mode()
def _posteriors(members: Sequence[Seq2Seq], pairs: Sequence[Pair]) -> Float[Tensor, "batch tgt src"]:
    src, src_len = padded([pair.src for pair in pairs], members[0])
    tgt_in, tgt_len = padded([[BOS, *pair.tgt[:-1]] for pair in pairs], members[0])
    tgt_out, _ = padded([pair.tgt for pair in pairs], members[0])
    states, memories = map(list, zip(*(member.encode(src, src_len) for member in members), strict=True))
    results = []
    for position, (token, wanted) in enumerate(zip(tgt_in.unbind(1), tgt_out.unbind(1), strict=True)):
        asked = memories[0].mask & (position < tgt_len).unsqueeze(1)
        row, column = asked.nonzero(as_tuple=True)
        prior, each = src.new_zeros(src.shape, dtype=torch.float32), []
        for number, (member, state, memory) in enumerate(zip(members, states, memories, strict=True)):
            weights = member.decoder.weigh(token, state, memory)
            logits = _attending_alone(member, token, state, memory, weights, (row, column)).float()
            each.append(logits.gather(1, wanted[row].unsqueeze(1)).squeeze(1) - logits.logsumexp(1))
            emb = member.decoder.embed(token)
            states[number], attended = member.decoder.advance(emb, state, memory, weights=weights)
            prior += attended.weights.float() / len(members)
        log_p = torch.stack(each).logsumexp(0) - math.log(len(members))
        energies = torch.full(src.shape, -torch.inf, device=src.device)
        energies[row, column] = log_p + prior[row, column].clamp(min=torch.finfo(torch.float32).tiny).log()
        results.append(torch.softmax(energies, dim=1).nan_to_num(0.0))
    return torch.stack(results, dim=1)


def _attending_alone(
    model: Seq2Seq,
    token: Int[Tensor, " batch"],
    state: State,
    memory: AttentionMemory,
    weights: Weights,
    places: tuple[Int[Tensor, " asked"], Int[Tensor, " asked"]],
) -> Float[Tensor, "asked vocab"]:
    """The logits of one step that attends to a single position, for each requested row and position.

    Such a step attends to one value with weight 1, so no score is computed and no key is read.
    """
    row, column = places
    value = memory.values[row, column].unsqueeze(1)
    nothing = value.new_zeros(len(row), 1)
    only = AttentionMemory(value, value, torch.ones_like(nothing, dtype=torch.bool), nothing)
    whole = weights.new_ones(len(row), 1, *weights.shape[2:])
    before = state.select(row)._replace(coverage=nothing)
    return model.decoder.step(token[row], before, only, whole)[0]


def _log_probabilities(
    members: Sequence[Seq2Seq], batch: Batch, embedded: Sequence[Float[Tensor, "rows src emb"]]
) -> Float[Tensor, " asked"]:
    """Log-probabilities of the requested target subwords, row by row; several models average their probabilities."""
    logits = []
    for member, emb in zip(members, embedded, strict=True):
        readout = member.decoder(batch.tgt_in, *member.start(emb, batch.src_len)).readout
        logits.append(member.decoder.output(readout[batch.asked]))
    joint = torch.log_softmax(logits[0], dim=1) if len(logits) == 1 else mean_probability(logits)
    wanted: Tensor = joint.gather(1, batch.tgt_out[batch.asked].unsqueeze(1)).squeeze(1)
    return wanted


def _batches(
    model: Model, pairs: Sequence[Pair], probes: Sequence[Probe], rows: int, progress: Progress | None
) -> Iterator[tuple[list[int], Batch]]:
    """Batches of probes of similar length: their positions, and the probes as tensors; progress counts pairs."""
    done = 0
    for chosen in by_length([probe.end for probe in probes], rows):
        yield chosen, _batch(model, pairs, [probes[index] for index in chosen])
        done += len(chosen)
        if progress is not None:
            progress(len(pairs) * done // len(probes), len(pairs))


def _batch(model: Model, pairs: Sequence[Pair], probes: Sequence[Probe]) -> Batch:
    own = [pairs[probe.pair] for probe in probes]
    src, src_len = padded([pair.src for pair in own], model)
    tgt_in, _ = padded([[BOS, *pair.tgt[: probe.end - 1]] for pair, probe in zip(own, probes, strict=True)], model)
    tgt_out, _ = padded([pair.tgt[: probe.end] for pair, probe in zip(own, probes, strict=True)], model)
    removed = [
        [position in probe.removed for position in range(len(pair.src))]
        for pair, probe in zip(own, probes, strict=True)
    ]
    present = ~pad_sequence([torch.tensor(row) for row in removed], batch_first=True)
    position = torch.arange(tgt_out.size(1))
    start, end = (torch.tensor([[probe[part]] for probe in probes]) for part in (2, 3))
    asked = (position >= start) & (position < end)
    return Batch(src, src_len, present.to(src.device), tgt_in, tgt_out, asked.to(src.device))


def check_explainable(model: Model) -> None:
    """Raise UserError for an ONNX model, alone or in an ensemble: its parameters and gradients are not accessible."""
    if len(_members(model)) < (len(model.members) if isinstance(model, Ensemble) else 1):
        raise UserError("an ONNX model supports only method=attention; use that, or the model folder before export")


def _members(model: Model) -> list[Seq2Seq]:
    models = model.members if isinstance(model, Ensemble) else [model]
    return [member for member in models if isinstance(member, Seq2Seq)]
