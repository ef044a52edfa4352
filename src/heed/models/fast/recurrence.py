"""The fast loop over the decoder's steps, with a hand-written backward pass.

Autograd records about thirty small operations for every step and sums weight gradients step by step. Here a step stores
only what its derivatives need, and a weight gradient is one large product over all steps, computed after the loop.
Outputs and gradients equal those of `Decoder.step_through`, which is used for decoders that are not supported here.

Internally, time is the first axis, so that a step is one contiguous block. x and s are the products of the GRU's input
and state, as in `heed.models.cell`; c is the context.
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from heed.models.attention import Additive, AttentionMemory, Attn, Coverage, Dot, General, ScaledDot
from heed.models.cell import EPSILON, Cell
from heed.models.fast import gru
from heed.models.fast.gru import compute_type, norm_backward, step_backward, step_forward
from heed.models.fast.replay import Replayed, padded

COVERED = (Additive, Coverage, Dot, General, ScaledDot)


class Start(NamedTuple):
    """The decoder's state before the first step, and the dropout masks of the sentence; None if nothing is dropped."""

    hidden: Float[Tensor, "batch layers hid"]
    coverage: Float[Tensor, "batch src"]
    state_masks: Float[Tensor, "batch layers hid"] | None = None
    between_masks: Float[Tensor, "batch above hid"] | None = None


class Unrolled(NamedTuple):
    """State of the last layer, context and attention weights of every step."""

    top: Float[Tensor, "batch tgt hid"]
    context: Float[Tensor, "batch tgt enc"]
    weights: Float[Tensor, "batch tgt src"]


def covers(attention: Attn, cells: Iterable[nn.Module]) -> bool:
    """Whether the fast loop supports this decoder: a score whose derivative is implemented here, and heed's own cells.

    Types must match exactly, because subclasses may compute something else.
    """
    known = type(attention) is Attn and type(attention.attn) in COVERED and type(attention.attn_combine) is nn.Linear
    return known and all(type(cell) is Cell for cell in cells)


def unroll(
    attention: Attn,
    cells: Iterable[nn.Module],
    query: str,
    emb: Float[Tensor, "batch tgt emb"],
    start: Start,
    memory: AttentionMemory,
) -> Unrolled:
    """All steps of a decoder: the cell that attends and reads the embeddings, then the layers above it.

    With `query` current, the query is that of the next step: one more step is run, and attention is shifted by one.
    """
    lowest, *above = (cast(Cell, cell) for cell in cells)
    if query == "current":
        emb = nn.functional.pad(emb, (0, 0, 0, 1))
    masks = [None] * (1 + len(above)) if start.state_masks is None else list(start.state_masks.unbind(1))
    states, context, weights = attend_and_read(
        attention, lowest, emb, start.hidden[:, 0], start.coverage, memory, masks[0]
    )
    if query == "current":
        states, context, weights = states[:, :-1], context[:, 1:], weights[:, 1:]
    for layer, cell in enumerate(above, start=1):
        inputs = states if start.between_masks is None else states * start.between_masks[:, layer - 1 : layer]
        states = gru.layer(cell, inputs, start.hidden[:, layer], masks[layer])
    return Unrolled(states, context, weights)


class Inputs(NamedTuple):
    """Inputs of the forward pass only."""

    word_gates: Float[Tensor, "tgt batch gates"]
    hidden: Float[Tensor, "batch hid"]
    coverage: Float[Tensor, "batch src"]
    mask: Bool[Tensor, "batch src"]
    product_bias: Float[Tensor, " products"]
    combine_bias: Float[Tensor, " output"]
    x_shift: Float[Tensor, " gates"] | None
    s_shift: Float[Tensor, " gates"] | None


class Operands(NamedTuple):
    """Inputs of both passes.

    `product` is multiplied with the state: rows for the score's query (additive only), then for the GRU's three gates.
    The additive score is v sigmoid(q + k) here; v is `energy`, and `coverage` is the weight of the coverage that is
    added to a key. `gate_input` are the columns of the GRU's input weights that read the output of attention.
    """

    keys: Float[Tensor, "batch src att"]
    values: Float[Tensor, "batch src enc"]
    product: Float[Tensor, "products hid"]
    energy: Float[Tensor, " att"] | None
    coverage: Float[Tensor, " att"] | None
    combine: Float[Tensor, "output both"]
    gate_input: Float[Tensor, "gates output"]
    state_mask: Float[Tensor, "batch hid"] | None
    x_gain: Float[Tensor, " gates"] | None
    s_gain: Float[Tensor, " gates"] | None


class Trace(NamedTuple):
    """Results of the forward pass: states, including the first one, weights, and values for the backward pass.

    A row of `joined` is [s; c]: the combine layer reads all of it, products with s read its first part.
    """

    states: Float[Tensor, "tgt_and_first batch hid"]
    joined: Float[Tensor, "tgt batch both"]
    weights: Float[Tensor, "tgt batch src"]
    attended: Float[Tensor, "tgt batch output"]
    gates: Float[Tensor, "tgt batch two_hid"]
    candidate: Float[Tensor, "tgt batch hid"]
    recurrent: Float[Tensor, "tgt batch hid"]
    squashed: Float[Tensor, "tgt batch src att"] | Float[Tensor, " 0"]
    raw: Float[Tensor, "2 tgt batch normed"]
    norms: Float[Tensor, "tgt 2 2 batch 1"]
    coverage: Float[Tensor, "batch src"]


class OutputGradients(NamedTuple):
    """Gradients of the loop's outputs; None for an output that the loss does not use."""

    states: Float[Tensor, "tgt batch hid"] | None
    context: Float[Tensor, "tgt batch enc"] | None
    weights: Float[Tensor, "tgt batch src"] | None


class StepGradients(NamedTuple):
    """Gradients of every step, from which those of the weights are computed at the end."""

    x: Float[Tensor, "tgt batch gates"]
    products: Float[Tensor, "tgt batch products"]
    attended: Float[Tensor, "tgt batch output"]
    context: Float[Tensor, "tgt batch enc"]
    energies: Float[Tensor, "tgt batch src"]


class ScoreGradients(NamedTuple):
    """Sums over the steps of an additive score's gradients, without the factor v; `squashed` is a buffer for a step."""

    keys: Float[Tensor, "batch src att"]
    squashed: Float[Tensor, "batch src att"]
    coverage_weight: Float[Tensor, " att"]
    coverage: Float[Tensor, "batch src"]


def attend_and_read(
    attention: Attn,
    cell: Cell,
    emb: Float[Tensor, "batch tgt emb"],
    hidden: Float[Tensor, "batch hid"],
    coverage: Float[Tensor, "batch src"],
    memory: AttentionMemory,
    state_mask: Float[Tensor, "batch hid"] | None = None,
) -> Unrolled:
    """All steps of the layer that attends and reads the embeddings, starting from the state (`hidden`, `coverage`).

    The part of the GRU's input that comes from words is one product for all steps. Under autocast, products and stored
    activations have its type, and states stay float32. `state_mask` is the dropout mask of the state that attention and
    gates read.
    """
    low, (batch, steps, emb_dim) = compute_type(emb), emb.shape
    with torch.autocast(emb.device.type, enabled=False):
        word_gates = nn.functional.linear(emb.to(low), cell.weight_ih[:, :emb_dim].to(low), cell.bias_ih.to(low))
        keys, product, product_bias, energy, coverage_weight = _score_operands(attention, cell, memory.keys, low)
        gains, shifts = _norms(cell)
        inputs = Inputs(
            word_gates=padded(word_gates.transpose(0, 1).contiguous(), 0, 1),
            hidden=padded(hidden, 0),
            coverage=padded(coverage, 0, 1),
            mask=padded(padded(memory.mask, 1), 0, value=1),
            product_bias=product_bias.to(low),
            combine_bias=attention.attn_combine.bias.to(low),
            x_shift=shifts[0],
            s_shift=shifts[1],
        )
        operands = Operands(
            keys=padded(keys.to(low), 0, 1),
            values=padded(memory.values.to(low), 0, 1),
            product=product.to(low),
            energy=energy,
            coverage=coverage_weight,
            combine=attention.attn_combine.weight.to(low),
            gate_input=cell.weight_ih[:, emb_dim:].to(low),
            state_mask=None if state_mask is None else padded(state_mask, 0),
            x_gain=gains[0],
            s_gain=gains[1],
        )
        outputs = _Recurrence.apply(*inputs, *operands)  # type: ignore[no-untyped-call]
    states, context, weights = (part[:steps, :batch].transpose(0, 1) for part in outputs)
    return Unrolled(states, context, weights[:, :, : memory.keys.size(1)])


def _score_operands(
    attention: Attn, cell: Cell, keys: Float[Tensor, "batch src att"], low: torch.dtype
) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None]:
    """Keys, weight and bias of the product with the state, v, and the weight of the coverage."""
    score = attention.attn
    if isinstance(score, Additive):
        # tanh y = 2 sigmoid(2 y) - 1, and a softmax ignores a constant in all energies. On a CPU torch's
        # sigmoid takes a third of the time of its tanh in bfloat16, a fifth in float32.
        product = torch.cat((2 * score.query.weight, cell.weight_hh))
        bias = torch.cat((2 * score.query.bias, cell.bias_hh))
        coverage = (2 * score.coverage.weight[:, 0]).to(low) if isinstance(score, Coverage) else None
        return 2 * keys, product, bias, (2 * score.energy.weight[0]).to(low), coverage
    scale = math.sqrt(cell.hidden_size) if isinstance(score, ScaledDot) else 1
    return keys if scale == 1 else keys / scale, cell.weight_hh, cell.bias_hh, None, None


def _norms(cell: Cell) -> tuple[tuple[Tensor | None, ...], tuple[Tensor | None, ...]]:
    """Gains and shifts of the layer normalisations of x and s, or None."""
    if cell.norm_input is None or cell.norm_hidden is None:
        return (None, None), (None, None)
    return (cell.norm_input.weight, cell.norm_hidden.weight), (cell.norm_input.bias, cell.norm_hidden.bias)


class _Recurrence(torch.autograd.Function):
    """The loop over target positions, with its own backward pass; arguments are `Inputs` and `Operands`, in this order.

    It returns the states after each step, the contexts and the weights.
    """

    @staticmethod
    def forward(ctx: Any, *given: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        operands = Operands(*given[len(Inputs._fields) :])  # type: ignore[arg-type]
        trace = _forward(Inputs(*given[: len(Inputs._fields)]), operands)  # type: ignore[arg-type]
        ctx.save_for_backward(*trace, *operands)
        ctx.set_materialize_grads(False)
        return trace.states[1:], trace.joined[:, :, trace.states.size(2) :], trace.weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *d_outputs: Tensor | None) -> Any:
        saved = ctx.saved_tensors
        trace, operands = Trace(*saved[: len(Trace._fields)]), Operands(*saved[len(Trace._fields) :])
        return _backward(trace, operands, OutputGradients(*d_outputs))


@Replayed
def _forward(inputs: Inputs, operands: Operands) -> Trace:
    """Run the loop."""
    (steps, _, width), hid = inputs.word_gates.shape, inputs.hidden.size(1)
    trace, coverage, padding = _room(inputs, operands), inputs.coverage, ~inputs.mask
    states, joined, weights = trace.states, trace.joined, trace.weights
    states[0] = inputs.hidden
    for t in range(steps):
        joined[t, :, :hid] = states[t] if operands.state_mask is None else states[t] * operands.state_mask
        products = torch.addmm(inputs.product_bias, joined[t, :, :hid], operands.product.t())
        if operands.energy is None:
            energies = torch.bmm(operands.keys, joined[t, :, :hid].unsqueeze(2)).squeeze(2)
        else:
            energies = _additive(products[:, :-width], operands, coverage, trace.squashed[t])
        torch.softmax(energies.to(states.dtype).masked_fill_(padding, -math.inf), dim=1, out=weights[t])
        coverage = coverage + weights[t]
        joined[t, :, hid:] = torch.bmm(weights[t].to(joined.dtype).unsqueeze(1), operands.values).squeeze(1)
        torch.addmm(inputs.combine_bias, joined[t], operands.combine.t(), out=trace.attended[t])
        x = torch.addmm(inputs.word_gates[t], trace.attended[t], operands.gate_input.t()).to(states.dtype)
        s = products[:, -width:].to(states.dtype)
        if operands.x_gain is not None and operands.s_gain is not None:
            raw, norms = trace.raw[:, t], trace.norms[t]
            raw[0], raw[1] = x, s
            x, norms[0, 0], norms[0, 1] = torch.native_layer_norm(x, (width,), operands.x_gain, inputs.x_shift, EPSILON)
            s, norms[1, 0], norms[1, 1] = torch.native_layer_norm(
                raw[1], (width,), operands.s_gain, inputs.s_shift, EPSILON
            )
        step_forward(x, s, states[t], trace.gates[t], trace.candidate[t], trace.recurrent[t], states[t + 1])
    return trace._replace(coverage=coverage)


def _room(inputs: Inputs, operands: Operands) -> Trace:
    """Allocate memory for the results of the loop."""
    (steps, batch, width), hidden, keys = inputs.word_gates.shape, inputs.hidden, operands.keys
    hid = hidden.size(1)
    return Trace(
        states=hidden.new_empty(steps + 1, batch, hid),
        joined=keys.new_empty(steps, batch, hid + operands.values.size(2)),
        weights=hidden.new_empty(steps, batch, keys.size(1)),
        attended=keys.new_empty(steps, batch, operands.combine.size(0)),
        gates=hidden.new_empty(steps, batch, 2 * hid),
        candidate=hidden.new_empty(steps, batch, hid),
        recurrent=hidden.new_empty(steps, batch, hid),
        squashed=keys.new_empty(steps, *keys.shape) if operands.energy is not None else keys.new_empty(0),
        raw=hidden.new_empty(2, steps, batch, width if operands.x_gain is not None else 0),
        norms=hidden.new_empty(steps, 2, 2, batch, 1),
        coverage=inputs.coverage,
    )


def _additive(
    query: Float[Tensor, "batch att"],
    operands: Operands,
    coverage: Float[Tensor, "batch src"],
    squashed: Float[Tensor, "batch src att"],
) -> Float[Tensor, "batch src"]:
    """Energies v sigmoid(q + k); the sigmoid is written to `squashed`."""
    energy = cast(Tensor, operands.energy)
    torch.add(operands.keys, query.unsqueeze(1), out=squashed)
    if operands.coverage is not None:
        squashed.addcmul_(coverage.to(squashed.dtype).unsqueeze(2), operands.coverage)
    flat = squashed.sigmoid_().view(-1, squashed.size(2))
    return torch.mm(flat, energy.unsqueeze(1)).view(squashed.shape[:2])


@Replayed
def _backward(trace: Trace, operands: Operands, d_outputs: OutputGradients) -> tuple[Tensor | None, ...]:
    """Gradients of `Inputs` and of `Operands`, None for the masks."""
    steps, batch, hid = trace.candidate.shape
    states, weights, keys, width, full = trace.states, trace.weights, operands.keys, 3 * hid, trace.states.dtype
    d = StepGradients(
        x=keys.new_empty(steps, batch, width),
        products=keys.new_empty(steps, batch, operands.product.size(0)),
        attended=torch.empty_like(trace.attended),
        context=keys.new_empty(steps, batch, operands.values.size(2)),
        energies=keys.new_empty(steps, batch, keys.size(1)),
    )
    d_score = ScoreGradients(
        keys=torch.zeros_like(keys, dtype=full),
        squashed=torch.empty_like(keys),
        coverage_weight=states.new_zeros(keys.size(2)),
        coverage=torch.zeros_like(weights[0]),
    )
    apart = operands.x_gain is not None or keys.dtype != full  # the gates' gradients are not yet those of the products
    d_gates = states.new_empty(2, steps, batch, width if apart else 0)
    d_state, coverage = torch.zeros_like(states[0]), trace.coverage
    for t in range(steps - 1, -1, -1):
        d_state = d_state if d_outputs.states is None else d_state + d_outputs.states[t]
        into_gates = d_gates[:, t].unbind() if apart else (d.x[t], d.products[t, :, -width:])
        d_state = step_backward(d_state, states[t], trace.gates[t], trace.candidate[t], trace.recurrent[t], *into_gates)
        if apart:
            d.x[t], d.products[t, :, -width:] = _before_norms(
                d_gates[:, t], trace.raw[:, t], (operands.x_gain, operands.s_gain), trace.norms[t]
            )
        torch.mm(d.x[t], operands.gate_input, out=d.attended[t])
        d_joined = torch.mm(d.attended[t], operands.combine)
        d.context[t] = d_joined[:, hid:] if d_outputs.context is None else d_joined[:, hid:] + d_outputs.context[t]
        d_weight = _with_each(operands.values, d.context[t]).to(full)
        d_weight = d_weight if d_outputs.weights is None else d_weight + d_outputs.weights[t]
        if operands.coverage is not None:
            d_weight, coverage = d_weight + d_score.coverage, coverage - weights[t]
        d.energies[t] = torch.ops.aten._softmax_backward_data(d_weight, weights[t], 1, full)
        d_masked = d_joined[:, :hid].to(full)
        if operands.energy is None:
            d_masked = d_masked + torch.bmm(d.energies[t].unsqueeze(1), keys).squeeze(1)
        else:
            _additive_backward(d.energies[t], trace.squashed[t], operands, coverage, d_score, d.products[t, :, :-width])
        d_masked = d_masked + torch.mm(d.products[t], operands.product)
        d_state = d_state + (d_masked if operands.state_mask is None else d_masked * operands.state_mask)
    return _weight_gradients(trace, operands, d, d_score, d_gates, d_state)


def _additive_backward(
    d_energies: Float[Tensor, "batch src"],
    squashed: Float[Tensor, "batch src att"],
    operands: Operands,
    coverage: Float[Tensor, "batch src"],
    d_score: ScoreGradients,
    d_query: Float[Tensor, "batch att"],
) -> None:
    """Write the gradient of a step's query, and add those of the keys and of the coverage."""
    energy = cast(Tensor, operands.energy)
    # the energy vector is a factor of all terms of these sums, so it is applied after summing
    expanded = d_energies.unsqueeze(2).expand_as(squashed)
    torch.ops.aten.sigmoid_backward.grad_input(expanded, squashed, grad_input=d_score.squashed)
    d_score.keys.add_(d_score.squashed)
    torch.mul(d_score.squashed.sum(1), energy, out=d_query)
    if operands.coverage is not None:
        flat = d_score.squashed.view(-1, squashed.size(2))
        d_score.coverage.add_(torch.mv(flat, energy * operands.coverage).view(coverage.shape))
        d_score.coverage_weight.add_(torch.mv(flat.t(), coverage.to(squashed.dtype).view(-1)))


def _weight_gradients(
    trace: Trace,
    operands: Operands,
    d: StepGradients,
    d_score: ScoreGradients,
    d_gates: Float[Tensor, "2 tgt batch normed"],
    d_hidden: Float[Tensor, "batch hid"],
) -> tuple[Tensor | None, ...]:
    """Gradients of `Inputs` and `Operands`, each as one product over all steps."""
    low, read = operands.keys.dtype, trace.joined[:, :, : d_hidden.size(1)]
    if operands.energy is None:
        d_energy, d_keys = None, torch.bmm(d.energies.permute(1, 2, 0), read.transpose(0, 1))
    else:
        d_energy = torch.mm(d.energies.view(1, -1), trace.squashed.flatten(0, 2))[0]
        d_keys = d_score.keys * operands.energy
    d_values = torch.bmm(trace.weights.permute(1, 2, 0).to(low), d.context.transpose(0, 1))
    d_coverage = None
    if operands.energy is not None and operands.coverage is not None:
        d_coverage = (d_score.coverage_weight * operands.energy).to(low)
    normed = operands.x_gain is not None
    d_gains, d_shifts = _norm_gradients(d_gates, trace.raw, trace.norms) if normed else ([None] * 2, [None] * 2)
    flat_x, flat_products, flat_attended = (part.flatten(0, 1) for part in (d.x, d.products, d.attended))
    d_inputs: dict[str, Tensor | None] = dict(
        word_gates=d.x,
        hidden=d_hidden,
        coverage=None if d_coverage is None else d_score.coverage,
        mask=None,
        product_bias=flat_products.sum(0),
        combine_bias=flat_attended.sum(0),
        x_shift=d_shifts[0],
        s_shift=d_shifts[1],
    )
    d_operands: dict[str, Tensor | None] = dict(
        keys=d_keys.to(low),
        values=d_values,
        product=flat_products.t() @ read.flatten(0, 1),
        energy=d_energy,
        coverage=d_coverage,
        combine=flat_attended.t() @ trace.joined.flatten(0, 1),
        gate_input=flat_x.t() @ trace.attended.flatten(0, 1),
        state_mask=None,
        x_gain=d_gains[0],
        s_gain=d_gains[1],
    )
    return (*(d_inputs[name] for name in Inputs._fields), *(d_operands[name] for name in Operands._fields))


def _with_each(
    values: Float[Tensor, "batch src enc"], vector: Float[Tensor, "batch enc"]
) -> Float[Tensor, "batch src"]:
    """The vector times each value. On a CPU, a matrix product of this shape takes five times as long in float32."""
    if values.is_cpu and values.dtype == torch.float32:
        return (values * vector.unsqueeze(1)).sum(2)
    return torch.bmm(values, vector.unsqueeze(2)).squeeze(2)


def _before_norms(
    d_gates: Float[Tensor, "2 batch gates"],
    raw: Float[Tensor, "2 batch width"],
    gains: tuple[Tensor | None, Tensor | None],
    norms: Float[Tensor, "2 2 batch 1"],
) -> tuple[Tensor, Tensor]:
    """Gradients of x and s before layer normalisation, if there is one."""
    if gains[0] is None or gains[1] is None:
        return d_gates[0], d_gates[1]
    d_x = norm_backward(d_gates[0] * gains[0], raw[0], norms[0])
    return d_x, norm_backward(d_gates[1] * gains[1], raw[1], norms[1])


def _norm_gradients(
    d_normal: Float[Tensor, "2 tgt batch gates"],
    raw: Float[Tensor, "2 tgt batch gates"],
    norms: Float[Tensor, "tgt 2 2 batch 1"],
) -> tuple[list[Tensor], list[Tensor]]:
    """Gradients of the gains and shifts of both layer normalisations."""
    mean, scale = norms.permute(2, 1, 0, 3, 4)
    d_gains, d_shifts = (d_normal * (raw - mean) * scale).sum((1, 2)), d_normal.sum((1, 2))
    return list(d_gains), list(d_shifts)
