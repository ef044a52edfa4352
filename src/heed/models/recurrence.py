"""The fast time loop: what stepping the decoder computes, with a backward pass written by hand.

Autograd records some thirty small operations for every step and adds up every weight's gradient step by step. Here a
step keeps only what its derivatives need, and a weight's gradient is one large product over all steps, made after the
loop. Outputs and gradients are those of `Decoder.step_through`, which remains for what is not covered.

Inside, shapes are time first, so that a step is one contiguous block. c is the context, x and s are what the gates get
of the input and of the state, as in `heed.models.gru`.
"""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from heed.models.attention import Additive, Attn, Coverage, Dot, General, Memory, ScaledDot
from heed.models.gru import EPSILON, Cell, compute_type, norm_backward, step_backward, step_forward
from heed.models.replay import Replayed, padded

COVERED = (Additive, Coverage, Dot, General, ScaledDot)


class Unrolled(NamedTuple):
    """Every step's state, context and attention weights."""

    states: Float[Tensor, "batch tgt hid"]
    context: Float[Tensor, "batch tgt enc"]
    weights: Float[Tensor, "batch tgt src"]


def covers(attention: Attn) -> bool:
    """Whether the fast loop computes this attention: one head, and a score whose derivative is written here.

    By exact types: a score derived from one of these computes something else, and is stepped.
    """
    return type(attention) is Attn and type(attention.attn) in COVERED


def unroll(
    attention: Attn,
    cell: Cell,
    emb: Float[Tensor, "batch tgt emb"],
    hidden: Float[Tensor, "batch hid"],
    covered: Float[Tensor, "batch src"],
    memory: Memory,
    keep: Float[Tensor, "batch hid"] | None = None,
) -> Unrolled:
    """All steps of the cell that attends and reads the embeddings `emb`, starting from the state (`hidden`, `covered`).

    The words' share of the GRU's input is one product for all steps. Under autocast the products and the stored
    activations are in its type, the states stay in float32. `keep` is what dropout leaves of the state that attention
    and gates read.
    """
    low = compute_type(emb)
    score, (batch, steps, emb_dim) = attention.attn, emb.shape
    with torch.autocast(emb.device.type, enabled=False):
        word_gates = nn.functional.linear(emb.to(low), cell.weight_ih[:, :emb_dim].to(low), cell.bias_ih.to(low))
        keys, energy, coverage = memory.keys, None, None
        into: tuple[Tensor, Tensor] = cell.weight_hh, cell.bias_hh
        if isinstance(score, Additive):
            # tanh y = 2 sigmoid(2 y) - 1, and a softmax does not see what all energies have in common. On a CPU torch's
            # sigmoid takes a third of the time of its tanh in bfloat16, a fifth in float32.
            into = torch.cat((2 * score.query.weight, into[0])), torch.cat((2 * score.query.bias, into[1]))
            keys, energy = 2 * keys, (2 * score.energy.weight[0]).to(low)
            coverage = (2 * score.coverage.weight[:, 0]).to(low) if isinstance(score, Coverage) else None
        elif isinstance(score, ScaledDot):
            keys = keys / math.sqrt(hidden.size(1))
        gains, shifts = _norms(cell)
        states, context, weights = _Recurrence.apply(  # type: ignore[no-untyped-call]
            padded(word_gates.transpose(0, 1).contiguous(), 0, 1),
            padded(hidden, 0),
            padded(covered, 0, 1),
            padded(padded(memory.mask, 1), 0, value=1),
            into[1].to(low),
            attention.attn_combine.bias.to(low),
            shifts[0],
            shifts[1],
            padded(keys.to(low), 0, 1),
            padded(memory.values.to(low), 0, 1),
            into[0].to(low),
            energy,
            coverage,
            attention.attn_combine.weight.to(low),
            cell.weight_ih[:, emb_dim:].to(low),
            None if keep is None else padded(keep, 0),
            *gains,
        )
    states, context, weights = (part[:steps, :batch].transpose(0, 1) for part in (states, context, weights))
    return Unrolled(states, context, weights[:, :, : memory.keys.size(1)])


def _norms(cell: Cell) -> tuple[tuple[Tensor | None, ...], tuple[Tensor | None, ...]]:
    """Gains and shifts of the layer normalisations of x and s, None where there are none."""
    if cell.norm_input is None or cell.norm_hidden is None:
        return (None, None), (None, None)
    return (cell.norm_input.weight, cell.norm_hidden.weight), (cell.norm_input.bias, cell.norm_hidden.bias)


class _Recurrence(torch.autograd.Function):
    """The loop over target positions, with the backward pass written here.

    `into` multiplies the state: rows for the score's query (additive only), then for the GRU's three gates. The
    additive score is v sigmoid(q + k) here.
    """

    @staticmethod
    def forward(ctx: Any, *given: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        states, joined, *kept, weights = _forward(*given)
        ctx.save_for_backward(states, joined, *kept, weights, *given[8:])  # what the derivatives ask for comes last
        ctx.set_materialize_grads(False)
        return states[1:], joined[:, :, states.size(2) :], weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_states: Tensor | None, d_context: Tensor | None, d_weights: Tensor | None) -> Any:
        return _backward(*ctx.saved_tensors, d_states, d_context, d_weights)


@Replayed
def _forward(
    word_gates: Float[Tensor, "tgt batch gates"],
    hidden: Float[Tensor, "batch hid"],
    covered: Float[Tensor, "batch src"],
    mask: Bool[Tensor, "batch src"],
    into_bias: Float[Tensor, " into"],
    combine_bias: Float[Tensor, " output"],
    x_shift: Float[Tensor, " gates"] | None,
    s_shift: Float[Tensor, " gates"] | None,
    keys: Float[Tensor, "batch src att"],
    values: Float[Tensor, "batch src enc"],
    into: Float[Tensor, "into hid"],
    energy: Float[Tensor, " att"] | None,
    coverage: Float[Tensor, " att"] | None,
    combine: Float[Tensor, "output both"],
    gate_input: Float[Tensor, "gates output"],
    keep: Float[Tensor, "batch hid"] | None,
    x_gain: Float[Tensor, " gates"] | None,
    s_gain: Float[Tensor, " gates"] | None,
) -> tuple[Tensor, ...]:
    """What the loop computes: states, the first one included, what the backward pass needs, and the weights."""
    steps, batch, width = word_gates.shape
    hid, enc, src, low = hidden.size(1), values.size(2), keys.size(1), keys.dtype
    states = hidden.new_empty(steps + 1, batch, hid)
    states[0] = hidden
    # one row holds [s; c]: the combine layer reads it whole, the products with s read its first part
    joined = keys.new_empty(steps, batch, hid + enc)
    attended = keys.new_empty(steps, batch, combine.size(0))
    weights = hidden.new_empty(steps, batch, src)
    gates = hidden.new_empty(steps, batch, 2 * hid)
    candidate, recurrent = hidden.new_empty(steps, batch, hid), hidden.new_empty(steps, batch, hid)
    squashed = keys.new_empty(steps, *keys.shape) if energy is not None else keys.new_empty(0)
    raw = hidden.new_empty(2, steps, batch, width if x_gain is not None else 0)
    norms = hidden.new_empty(steps, 2, 2, batch, 1)
    padding = ~mask
    for t in range(steps):
        joined[t, :, :hid] = states[t] if keep is None else states[t] * keep
        products = torch.addmm(into_bias, joined[t, :, :hid], into.t())
        if energy is not None:
            torch.add(keys, products[:, :-width].unsqueeze(1), out=squashed[t])
            if coverage is not None:
                squashed[t].addcmul_(covered.to(low).unsqueeze(2), coverage)
            energies = torch.mm(squashed[t].sigmoid_().view(batch * src, -1), energy.unsqueeze(1)).view(batch, src)
        else:
            energies = torch.bmm(keys, joined[t, :, :hid].unsqueeze(2)).squeeze(2)
        torch.softmax(energies.to(states.dtype).masked_fill_(padding, -math.inf), dim=1, out=weights[t])
        covered = covered + weights[t]
        joined[t, :, hid:] = torch.bmm(weights[t].to(low).unsqueeze(1), values).squeeze(1)
        torch.addmm(combine_bias, joined[t], combine.t(), out=attended[t])
        x = torch.addmm(word_gates[t], attended[t], gate_input.t()).to(states.dtype)
        s = products[:, -width:].to(states.dtype)
        if x_gain is not None and s_gain is not None:
            raw[0, t], raw[1, t] = x, s
            x, norms[t, 0, 0], norms[t, 0, 1] = torch.native_layer_norm(x, (width,), x_gain, x_shift, EPSILON)
            s, norms[t, 1, 0], norms[t, 1, 1] = torch.native_layer_norm(raw[1, t], (width,), s_gain, s_shift, EPSILON)
        step_forward(x, s, states[t], gates[t], candidate[t], recurrent[t], states[t + 1])
    return states, joined, attended, gates, candidate, recurrent, squashed, raw, norms, covered, weights


@Replayed
def _backward(
    states: Float[Tensor, "tgt_and_first batch hid"],
    joined: Float[Tensor, "tgt batch both"],
    attended: Float[Tensor, "tgt batch output"],
    gates: Float[Tensor, "tgt batch two_hid"],
    candidate: Float[Tensor, "tgt batch hid"],
    recurrent: Float[Tensor, "tgt batch hid"],
    squashed: Float[Tensor, "tgt batch src att"] | Float[Tensor, " 0"],
    raw: Float[Tensor, "2 tgt batch normed"],
    norms: Float[Tensor, "tgt 2 2 batch 1"],
    covered: Float[Tensor, "batch src"],
    weights: Float[Tensor, "tgt batch src"],
    keys: Float[Tensor, "batch src att"],
    values: Float[Tensor, "batch src enc"],
    into: Float[Tensor, "into hid"],
    energy: Float[Tensor, " att"] | None,
    coverage: Float[Tensor, " att"] | None,
    combine: Float[Tensor, "output both"],
    gate_input: Float[Tensor, "gates output"],
    keep: Float[Tensor, "batch hid"] | None,
    x_gain: Float[Tensor, " gates"] | None,
    s_gain: Float[Tensor, " gates"] | None,
    d_states: Float[Tensor, "tgt batch hid"] | None,
    d_context: Float[Tensor, "tgt batch enc"] | None,
    d_weights: Float[Tensor, "tgt batch src"] | None,
) -> tuple[Tensor | None, ...]:
    """Gradients of all that the forward pass was given, but of `mask` and `keep`."""
    steps, batch, hid = candidate.shape
    src, low, full, width = keys.size(1), keys.dtype, states.dtype, 3 * hid
    d_x = keys.new_empty(steps, batch, width)
    d_products = keys.new_empty(steps, batch, into.size(0))
    d_attended = torch.empty_like(attended)
    d_contexts = keys.new_empty(steps, batch, values.size(2))
    d_energies = keys.new_empty(steps, batch, src)
    d_keys, d_squashed = torch.zeros_like(keys, dtype=full), torch.empty_like(keys)
    d_coverage = states.new_zeros(keys.size(2))
    d_state = torch.zeros_like(states[0])
    apart = x_gain is not None or low != full  # gradients of the gates are not those of the products yet
    d_gates = states.new_empty(2, steps, batch, width if apart else 0)
    d_covered = torch.zeros_like(weights[0])
    for t in range(steps - 1, -1, -1):
        d_state = d_state if d_states is None else d_state + d_states[t]
        into_gates = d_gates[:, t].unbind() if apart else (d_x[t], d_products[t, :, -width:])
        d_state = step_backward(d_state, states[t], gates[t], candidate[t], recurrent[t], *into_gates)
        if apart:
            d_x[t], d_products[t, :, -width:] = _before_norms(d_gates[:, t], raw[:, t], (x_gain, s_gain), norms[t])
        torch.mm(d_x[t], gate_input, out=d_attended[t])
        d_joined = torch.mm(d_attended[t], combine)
        d_contexts[t] = d_joined[:, hid:] if d_context is None else d_joined[:, hid:] + d_context[t]
        d_weight = _with_each(values, d_contexts[t]).to(full)
        d_weight = d_weight if d_weights is None else d_weight + d_weights[t]
        if coverage is not None:
            d_weight, covered = d_weight + d_covered, covered - weights[t]
        d_energies[t] = torch.ops.aten._softmax_backward_data(d_weight, weights[t], 1, full)
        d_seen = d_joined[:, :hid].to(full)
        if energy is not None:
            # the energy vector multiplies every term of these sums, so it waits until they are made
            wanted = d_energies[t].unsqueeze(2).expand_as(keys)
            torch.ops.aten.sigmoid_backward.grad_input(wanted, squashed[t], grad_input=d_squashed)
            d_keys += d_squashed
            torch.mul(d_squashed.sum(1), energy, out=d_products[t, :, :-width])
            if coverage is not None:
                flat = d_squashed.view(batch * src, -1)
                d_covered += torch.mv(flat, energy * coverage).view(batch, src)
                d_coverage += torch.mv(flat.t(), covered.to(low).view(-1))
        else:
            d_seen = d_seen + torch.bmm(d_energies[t].unsqueeze(1), keys).squeeze(1)
        d_seen = d_seen + torch.mm(d_products[t], into)
        d_state = d_state + (d_seen if keep is None else d_seen * keep)
    if energy is None:
        d_energy, d_keys = None, torch.bmm(d_energies.permute(1, 2, 0), joined[:, :, :hid].transpose(0, 1))
    else:
        d_energy, d_keys = torch.mm(d_energies.view(1, -1), squashed.flatten(0, 2))[0], d_keys * energy
    d_values = torch.bmm(weights.permute(1, 2, 0).to(low), d_contexts.transpose(0, 1))
    flat_x, flat_products, flat_attended = (d.flatten(0, 1) for d in (d_x, d_products, d_attended))
    d_gains, d_shifts = _norm_gradients(d_gates, raw, norms) if x_gain is not None else ([None] * 2, [None] * 2)
    return (
        d_x,
        d_state,
        None if coverage is None else d_covered,
        None,
        flat_products.sum(0),
        flat_attended.sum(0),
        *d_shifts,
        d_keys.to(low),
        d_values,
        flat_products.t() @ joined[:, :, :hid].flatten(0, 1),
        d_energy,
        None if energy is None or coverage is None else (d_coverage * energy).to(low),
        flat_attended.t() @ joined.flatten(0, 1),
        flat_x.t() @ attended.flatten(0, 1),
        None,
        *d_gains,
    )


def _with_each(
    values: Float[Tensor, "batch src enc"], vector: Float[Tensor, "batch enc"]
) -> Float[Tensor, "batch src"]:
    """The vector times each value. A matrix product of this shape takes a CPU five times as long in float32."""
    if values.is_cpu and values.dtype == torch.float32:
        return (values * vector.unsqueeze(1)).sum(2)
    return torch.bmm(values, vector.unsqueeze(2)).squeeze(2)


def _before_norms(
    d_gates: Float[Tensor, "2 batch gates"],
    raw: Float[Tensor, "2 batch width"],
    gains: tuple[Tensor | None, Tensor | None],
    norms: Float[Tensor, "2 2 batch 1"],
) -> tuple[Tensor, Tensor]:
    """Gradients of what the gates get of the input and of the state, before layer normalisation where there is one."""
    if gains[0] is None or gains[1] is None:
        return d_gates[0], d_gates[1]
    d_x = norm_backward(d_gates[0] * gains[0], raw[0], norms[0])
    return d_x, norm_backward(d_gates[1] * gains[1], raw[1], norms[1])


def _norm_gradients(
    d_normal: Float[Tensor, "2 tgt batch gates"],
    raw: Float[Tensor, "2 tgt batch gates"],
    norms: Float[Tensor, "tgt 2 2 batch 1"],
) -> tuple[list[Tensor], list[Tensor]]:
    """Of the gains, and of the shifts, of the input's layer normalisation and of the state's."""
    mean, scale = norms.permute(2, 1, 0, 3, 4)
    d_gains, d_shifts = (d_normal * (raw - mean) * scale).sum((1, 2)), d_normal.sum((1, 2))
    return list(d_gains), list(d_shifts)
