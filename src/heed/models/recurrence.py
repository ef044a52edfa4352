"""The fast time loop: what stepping the decoder computes, with a backward pass written by hand.

Autograd records some thirty small operations for every step and adds up every weight's gradient step by step. Here a
step keeps only what its derivatives need, and a weight's gradient is one large product over all steps, made after the
loop. Outputs and gradients are those of `Decoder.step_through`, which remains for what is not covered.

Inside, shapes are time first, so that a step is one contiguous block. s is the state before a step, c the context; r, z
and n are the GRU's reset gate, update gate and candidate (Cho et al. 2014, arXiv 1406.1078, in cuDNN's form, where r
multiplies the candidate's recurrent product after its bias).
"""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from heed.models.attention import Additive, Attn, Coverage, Dot, General, Memory, ScaledDot

COVERED = (Additive, Coverage, Dot, General, ScaledDot)


class Unrolled(NamedTuple):
    """Every step's top state, context and attention weights."""

    top: Float[Tensor, "batch tgt hid"]
    context: Float[Tensor, "batch tgt enc"]
    weights: Float[Tensor, "batch tgt src"]


def covers(attention: Attn, cells: nn.ModuleList) -> bool:
    """Whether the fast loop computes this decoder: one layer, one head, and a score whose derivative is written here.

    By exact types: a score derived from one of these computes something else, and is stepped.
    """
    return len(cells) == 1 and type(attention) is Attn and type(attention.attn) in COVERED


def unroll(
    attention: Attn,
    cell: nn.GRUCell,
    emb: Float[Tensor, "batch tgt emb"],
    hidden: Float[Tensor, "batch hid"],
    covered: Float[Tensor, "batch src"],
    memory: Memory,
) -> Unrolled:
    """All steps of a one-layer decoder that reads the embeddings `emb`, starting from the state (`hidden`, `covered`).

    The words' share of the GRU's input is one product for all steps. Under autocast the products and the stored
    activations are in its type, the states stay in float32.
    """
    low = _compute_type(emb)
    score, emb_dim = attention.attn, emb.size(2)
    with torch.autocast(emb.device.type, enabled=False):
        word_gates = nn.functional.linear(emb.to(low), cell.weight_ih[:, :emb_dim].to(low), cell.bias_ih.to(low))
        if isinstance(score, Additive):
            into = torch.cat((score.query.weight, cell.weight_hh)), torch.cat((score.query.bias, cell.bias_hh))
            energy, scale = score.energy.weight[0].to(low), 1.0
        else:
            into = cell.weight_hh, cell.bias_hh
            energy, scale = None, 1 / math.sqrt(hidden.size(1)) if isinstance(score, ScaledDot) else 1.0
        top, context, weights = _Recurrence.apply(  # type: ignore[no-untyped-call]
            word_gates.transpose(0, 1).contiguous(),
            hidden,
            covered,
            memory.keys.to(low),
            memory.values.to(low),
            memory.mask,
            into[0].to(low),
            into[1].to(low),
            energy,
            score.coverage.weight[:, 0].to(low) if isinstance(score, Coverage) else None,
            attention.attn_combine.weight.to(low),
            attention.attn_combine.bias.to(low),
            cell.weight_ih[:, emb_dim:].to(low),
            scale,
        )
    return Unrolled(top.transpose(0, 1), context.transpose(0, 1), weights.transpose(0, 1))


def _compute_type(tensor: Tensor) -> torch.dtype:
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


class _Recurrence(torch.autograd.Function):
    """The loop over target positions, forward and back.

    `into` multiplies the state: rows for the score's query (additive only), then for the GRU's three gates.
    """

    @staticmethod
    def forward(
        ctx: Any,
        word_gates: Float[Tensor, "tgt batch gates"],
        hidden: Float[Tensor, "batch hid"],
        covered: Float[Tensor, "batch src"],
        keys: Float[Tensor, "batch src att"],
        values: Float[Tensor, "batch src enc"],
        mask: Bool[Tensor, "batch src"],
        into: Float[Tensor, "into hid"],
        into_bias: Float[Tensor, " into"],
        energy: Float[Tensor, " att"] | None,
        coverage: Float[Tensor, " att"] | None,
        combine: Float[Tensor, "output hid+enc"],
        combine_bias: Float[Tensor, " output"],
        gate_input: Float[Tensor, "gates output"],
        scale: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps, batch, _ = word_gates.shape
        hid, enc, src, low = hidden.size(1), values.size(2), keys.size(1), keys.dtype
        states = hidden.new_empty(steps + 1, batch, hid)
        states[0] = hidden
        # one row holds [s; c]: the combine layer reads it whole, the products with s read its first part
        joined = keys.new_empty(steps, batch, hid + enc)
        attended = keys.new_empty(steps, batch, combine.size(0))
        weights = hidden.new_empty(steps, batch, src)
        reset, update, candidate, recurrent = hidden.new_empty(4, steps, batch, hid)
        tanh = keys.new_empty(steps, *keys.shape) if energy is not None else keys.new_empty(0)
        padding = ~mask
        for t in range(steps):
            state = states[t]
            joined[t, :, :hid] = state
            products = torch.addmm(into_bias, joined[t, :, :hid], into.t())
            gates = products[:, -3 * hid :].to(state.dtype)
            if energy is not None:
                torch.add(keys, products[:, : -3 * hid].unsqueeze(1), out=tanh[t])
                if coverage is not None:
                    tanh[t].addcmul_(covered.to(low).unsqueeze(2), coverage)
                tanh[t].tanh_()
                energies = torch.mv(tanh[t].view(batch * src, -1), energy).view(batch, src)
            else:
                energies = torch.bmm(keys, joined[t, :, :hid].unsqueeze(2)).squeeze(2) * scale
            torch.softmax(energies.to(state.dtype).masked_fill_(padding, -math.inf), dim=1, out=weights[t])
            covered = covered + weights[t]
            joined[t, :, hid:] = torch.bmm(weights[t].to(low).unsqueeze(1), values).squeeze(1)
            torch.addmm(combine_bias, joined[t], combine.t(), out=attended[t])
            inputs = torch.addmm(word_gates[t], attended[t], gate_input.t()).to(state.dtype)
            torch.add(inputs[:, :hid], gates[:, :hid], out=reset[t]).sigmoid_()
            torch.add(inputs[:, hid : 2 * hid], gates[:, hid : 2 * hid], out=update[t]).sigmoid_()
            recurrent[t] = gates[:, 2 * hid :]
            torch.addcmul(inputs[:, 2 * hid :], reset[t], recurrent[t], out=candidate[t]).tanh_()
            torch.lerp(candidate[t], state, update[t], out=states[t + 1])
        ctx.save_for_backward(
            states, joined, attended, weights, reset, update, candidate, recurrent, tanh,
            keys, values, into, energy, coverage, combine, gate_input,
        )  # fmt: skip
        ctx.scale, ctx.covered = scale, covered
        ctx.set_materialize_grads(False)
        return states[1:], joined[:, :, hid:], weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_top: Tensor | None, d_context: Tensor | None, d_weights: Tensor | None) -> Any:
        (states, joined, attended, weights, reset, update, candidate, recurrent, tanh,
         keys, values, into, energy, coverage, combine, gate_input) = ctx.saved_tensors  # fmt: skip
        steps, batch, hid = reset.shape
        src, low, full = keys.size(1), keys.dtype, states.dtype
        d_inputs = keys.new_empty(steps, batch, 3 * hid)
        d_products = keys.new_empty(steps, batch, into.size(0))
        d_attended = torch.empty_like(attended)
        d_contexts = keys.new_empty(steps, batch, values.size(2))
        d_energies = keys.new_empty(steps, batch, src)
        d_keys = torch.zeros_like(keys, dtype=full)
        d_energy = states.new_zeros(keys.size(2))
        d_coverage = states.new_zeros(keys.size(2))
        d_state = torch.zeros_like(states[0])
        covered, d_covered = ctx.covered, torch.zeros_like(weights[0])  # after the last step; run backwards below
        for t in range(steps - 1, -1, -1):
            if d_top is not None:
                d_state = d_state + d_top[t]
            r, z, n = reset[t], update[t], candidate[t]
            d_r, d_z, d_n = _gate_gradients(d_state, states[t], r, z, n, recurrent[t])
            for into_gates in (d_inputs[t], d_products[t, :, -3 * hid :]):
                into_gates[:, :hid] = d_r
                into_gates[:, hid : 2 * hid] = d_z
            d_inputs[t, :, 2 * hid :] = d_n
            d_products[t, :, -hid:] = d_n * r
            torch.mm(d_inputs[t], gate_input, out=d_attended[t])
            d_joined = torch.mm(d_attended[t], combine)
            d_contexts[t] = d_joined[:, hid:] if d_context is None else d_joined[:, hid:] + d_context[t]
            d_weight = torch.bmm(values, d_contexts[t].unsqueeze(2)).squeeze(2).to(full)
            if d_weights is not None:
                d_weight = d_weight + d_weights[t]
            if coverage is not None:
                d_weight, covered = d_weight + d_covered, covered - weights[t]
            d_energies[t] = torch.ops.aten._softmax_backward_data(d_weight, weights[t], 1, full)
            d_state = d_state * z + d_joined[:, :hid]
            if energy is not None:
                # the energy vector multiplies every term of these sums, so it waits until they are made
                d_tanh = torch.ops.aten.tanh_backward(d_energies[t].unsqueeze(2).expand_as(keys), tanh[t])
                d_keys += d_tanh
                torch.mul(d_tanh.sum(1), energy, out=d_products[t, :, : -3 * hid])
                d_energy += torch.mv(tanh[t].view(batch * src, -1).t(), d_energies[t].view(-1))
                if coverage is not None:
                    flat = d_tanh.view(batch * src, -1)
                    d_covered += torch.mv(flat, energy * coverage).view(batch, src)
                    d_coverage += torch.mv(flat.t(), covered.to(low).view(-1))
            else:
                d_state = d_state + torch.bmm(d_energies[t].unsqueeze(1), keys).squeeze(1) * ctx.scale
            d_state = d_state + torch.mm(d_products[t], into)
        by_sentence = d_energies.permute(1, 2, 0)
        if energy is not None:
            d_keys *= energy
        else:
            d_keys = torch.bmm(by_sentence, joined[:, :, :hid].transpose(0, 1)) * ctx.scale
        d_values = torch.bmm(weights.permute(1, 2, 0).to(low), d_contexts.transpose(0, 1))
        flat_inputs, flat_products, flat_attended = (d.flatten(0, 1) for d in (d_inputs, d_products, d_attended))
        return (
            d_inputs,
            d_state,
            None if coverage is None else d_covered,
            d_keys.to(low),
            d_values,
            None,
            flat_products.t() @ joined[:, :, :hid].flatten(0, 1),
            flat_products.sum(0),
            None if energy is None else d_energy.to(low),
            None if coverage is None else (d_coverage * energy).to(low),
            flat_attended.t() @ joined.flatten(0, 1),
            flat_attended.sum(0),
            flat_inputs.t() @ attended.flatten(0, 1),
            None,
        )


def _gate_gradients(
    d_next: Tensor, state: Tensor, r: Tensor, z: Tensor, n: Tensor, recurrent: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients before the activations: s' = n + z (s - n), n = tanh(i_n + r h_n), z and r = sigmoid(i + h)."""
    d_n = torch.ops.aten.tanh_backward(d_next * (1 - z), n)
    d_z = torch.ops.aten.sigmoid_backward(d_next * (state - n), z)
    d_r = torch.ops.aten.sigmoid_backward(d_n * recurrent, r)
    return d_r, d_z, d_n
