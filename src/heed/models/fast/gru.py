"""A GRU over sequences with known inputs: the encoder, and decoder layers above the one that attends.

On a CPU, torch's own loop records every step for autograd and sums weight gradients step by step. Here a step stores
what its derivatives need, and a weight gradient is one large product over all steps. The equations are those of
`heed.models.cell`. With a mask for the state, the product with the state reads s times the mask, one mask for all steps
of a sentence (Gal and Ghahramani 2016, arXiv 1512.05287).
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from heed.models.cell import EPSILON, Cell
from heed.models.fast.replay import Replayed, padded


def step_forward(
    x: Float[Tensor, "*shape gates"],
    s: Float[Tensor, "*shape gates"],
    state: Float[Tensor, "*shape hid"],
    gates: Float[Tensor, "*shape two_hid"],
    candidate: Float[Tensor, "*shape hid"],
    recurrent: Float[Tensor, "*shape hid"],
    after: Float[Tensor, "*shape hid"],
) -> None:
    """`Cell.update` without layer normalisation; results are written to the last four arguments.

    `after` is the next state; the three before it are needed for the derivatives.
    """
    hid = state.size(-1)
    torch.add(x[..., : 2 * hid], s[..., : 2 * hid], out=gates).sigmoid_()
    recurrent.copy_(s[..., 2 * hid :])
    torch.addcmul(x[..., 2 * hid :], gates[..., :hid], recurrent, out=candidate).tanh_()
    torch.lerp(candidate, state, gates[..., hid:], out=after)


def step_backward(
    d_after: Float[Tensor, "*shape hid"],
    state: Float[Tensor, "*shape hid"],
    gates: Float[Tensor, "*shape two_hid"],
    candidate: Float[Tensor, "*shape hid"],
    recurrent: Float[Tensor, "*shape hid"],
    d_x: Float[Tensor, "*shape gates"],
    d_s: Float[Tensor, "*shape gates"],
) -> Float[Tensor, "*shape hid"]:
    """Write the gradients of x and s; return the part of the state's gradient that bypasses the gates."""
    hid = state.size(-1)
    d_gates, d_n = d_x[..., : 2 * hid], d_x[..., 2 * hid :]
    past = d_after * gates[..., hid:]
    torch.ops.aten.tanh_backward.grad_input(d_after - past, candidate, grad_input=d_n)
    torch.mul(d_n, recurrent, out=d_gates[..., :hid])
    torch.mul(d_after, state - candidate, out=d_gates[..., hid:])
    torch.ops.aten.sigmoid_backward.grad_input(d_gates, gates, grad_input=d_gates)
    d_s[..., : 2 * hid] = d_gates
    torch.mul(d_n, gates[..., :hid], out=d_s[..., 2 * hid :])
    return past


class Recurrent(NamedTuple):
    """Weights of the product with the state, for each direction; `gain` and `shift` of its layer normalisation."""

    weight: Float[Tensor, "directions gates hid"]
    bias: Float[Tensor, "directions gates"]
    gain: Float[Tensor, "directions gates"] | None = None
    shift: Float[Tensor, "directions gates"] | None = None


def unroll(
    x: Float[Tensor, "directions steps batch gates"],
    state: Float[Tensor, "directions batch hid"],
    recurrent: Recurrent,
    state_mask: Float[Tensor, "directions batch hid"] | None = None,
) -> Float[Tensor, "directions steps batch hid"]:
    """The state after every step, for directions that are independent and computed together.

    `x` is the input's product, including bias and normalisation. Under autocast the products have its type; states do
    not change theirs.
    """
    low, (steps, batch) = compute_type(state), x.shape[1:3]
    with torch.autocast(state.device.type, enabled=False):
        inputs = Inputs(padded(x.to(state.dtype), 1, 2), padded(state, 1), recurrent.bias.to(low), recurrent.shift)
        mask = None if state_mask is None else padded(state_mask, 1)
        operands = Operands(recurrent.weight.to(low), mask, recurrent.gain)
        states = _Unroll.apply(*inputs, *operands)  # type: ignore[no-untyped-call]
    return states[:, :steps, :batch]


def layer(
    cell: Cell,
    inputs: Float[Tensor, "batch steps input"],
    state: Float[Tensor, "batch hid"],
    state_mask: Float[Tensor, "batch hid"] | None = None,
) -> Float[Tensor, "batch steps hid"]:
    """The cell at every step of a sequence."""
    x = nn.functional.linear(inputs.transpose(0, 1), cell.weight_ih, cell.bias_ih)
    x = x if cell.norm_input is None else cell.norm_input(x)
    norm = () if cell.norm_hidden is None else (cell.norm_hidden.weight[None], cell.norm_hidden.bias[None])
    recurrent = Recurrent(cell.weight_hh[None], cell.bias_hh[None], *norm)
    states = unroll(x[None], state[None], recurrent, None if state_mask is None else state_mask[None])
    return states[0].transpose(0, 1)


def compute_type(tensor: Tensor) -> torch.dtype:
    """The type of products: that of autocast, or otherwise the tensor's own."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


class Inputs(NamedTuple):
    """Inputs of the forward pass only."""

    x: Float[Tensor, "directions steps batch gates"]
    state: Float[Tensor, "directions batch hid"]
    bias: Float[Tensor, "directions gates"]
    shift: Float[Tensor, "directions gates"] | None


class Operands(NamedTuple):
    """Inputs of both passes."""

    weight: Float[Tensor, "directions gates hid"]
    state_mask: Float[Tensor, "directions batch hid"] | None
    gain: Float[Tensor, "directions gates"] | None


class Trace(NamedTuple):
    """Results of the forward pass: states, including the first one, and values for the backward pass.

    `masked` are the masked states that the products read; None without a mask.
    """

    states: Float[Tensor, "directions steps_and_first batch hid"]
    masked: Float[Tensor, "directions steps batch hid"] | None
    gates: Float[Tensor, "directions steps batch two_hid"]
    candidate: Float[Tensor, "directions steps batch hid"]
    recurrent: Float[Tensor, "directions steps batch hid"]
    raw: Float[Tensor, "directions steps batch normed"]
    norms: Float[Tensor, "steps 2 directions batch 1"]


class OutputGradients(NamedTuple):
    """Gradient of the loop's output."""

    states: Float[Tensor, "directions steps batch hid"]


class InputGradients(NamedTuple):
    """Gradients of `Inputs` and `Operands`, in their order; None for the mask."""

    x: Float[Tensor, "directions steps batch gates"]
    state: Float[Tensor, "directions batch hid"]
    bias: Float[Tensor, "directions gates"]
    shift: Float[Tensor, "directions gates"] | None
    weight: Float[Tensor, "directions gates hid"]
    state_mask: None
    gain: Float[Tensor, "directions gates"] | None


class _Unroll(torch.autograd.Function):
    """The loop over positions, with its own backward pass; arguments are `Inputs` and `Operands`, in this order."""

    @staticmethod
    def forward(ctx: Any, *given: Tensor | None) -> Tensor:
        operands = Operands(*given[len(Inputs._fields) :])  # type: ignore[arg-type]
        trace = _forward(Inputs(*given[: len(Inputs._fields)]), operands)  # type: ignore[arg-type]
        ctx.save_for_backward(*trace, *operands)
        return trace.states[:, 1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_states: Tensor) -> Any:
        saved = ctx.saved_tensors
        trace, operands = Trace(*saved[: len(Trace._fields)]), Operands(*saved[len(Trace._fields) :])
        return _backward(OutputGradients(d_states), trace, operands)


@Replayed
def _forward(inputs: Inputs, operands: Operands) -> Trace:
    """Run the loop."""
    x, state, weight, mask = inputs.x, inputs.state, operands.weight, operands.state_mask
    steps, width = x.size(1), x.size(3)
    trace = _room(inputs, operands)
    states = trace.states
    states[:, 0] = state
    for t in range(steps):
        read = states[:, t]
        if trace.masked is not None:
            trace.masked[:, t] = read if mask is None else read * mask
            read = trace.masked[:, t]
        s = torch.baddbmm(inputs.bias.unsqueeze(1), read, weight.transpose(1, 2)).to(state.dtype)
        if operands.gain is not None and inputs.shift is not None:
            trace.raw[:, t], norm = s, trace.norms[t]
            s, norm[0], norm[1] = torch.native_layer_norm(s, (width,), None, None, EPSILON)
            s = torch.addcmul(inputs.shift.unsqueeze(1), s, operands.gain.unsqueeze(1))
        activations = trace.gates[:, t], trace.candidate[:, t], trace.recurrent[:, t]
        step_forward(x[:, t], s, states[:, t], *activations, states[:, t + 1])
    return trace


def _room(inputs: Inputs, operands: Operands) -> Trace:
    """Allocate memory for the results of the loop."""
    (directions, steps, batch, width), state, weight = inputs.x.shape, inputs.state, operands.weight
    hid = state.size(2)
    as_they_are = operands.state_mask is None and weight.dtype == state.dtype
    return Trace(
        states=state.new_empty(directions, steps + 1, batch, hid),
        masked=None if as_they_are else weight.new_empty(directions, steps, batch, hid),
        gates=state.new_empty(directions, steps, batch, 2 * hid),
        candidate=state.new_empty(directions, steps, batch, hid),
        recurrent=state.new_empty(directions, steps, batch, hid),
        raw=state.new_empty(directions, steps, batch, width if operands.gain is not None else 0),
        norms=state.new_empty(steps, 2, directions, batch, 1),
    )


@Replayed
def _backward(d_outputs: OutputGradients, trace: Trace, operands: Operands) -> InputGradients:
    """Gradients of all arguments of the forward pass."""
    d_states, states, (weight, mask, gain) = d_outputs.states, trace.states, operands
    directions, steps, batch, _ = d_states.shape
    d_x = states.new_empty(directions, steps, batch, weight.size(1))
    d_s = torch.empty_like(d_x)
    as_they_are = gain is None and weight.dtype == d_s.dtype
    d_products = d_s if as_they_are else torch.empty_like(d_s, dtype=weight.dtype)
    d_state = torch.zeros_like(states[:, 0])
    for t in range(steps - 1, -1, -1):
        activations = trace.gates[:, t], trace.candidate[:, t], trace.recurrent[:, t]
        past = step_backward(d_state + d_states[:, t], states[:, t], *activations, d_x[:, t], d_s[:, t])
        if gain is not None:
            d_products[:, t] = norm_backward(d_s[:, t] * gain.unsqueeze(1), trace.raw[:, t], trace.norms[t])
        elif not as_they_are:
            d_products[:, t] = d_s[:, t]
        d_masked = torch.bmm(d_products[:, t], weight)
        d_state = past + (d_masked if mask is None else d_masked * mask)
    flat, read = d_products.flatten(1, 2), states[:, :-1] if trace.masked is None else trace.masked
    d_weight, d_shift, d_gain = torch.bmm(flat.transpose(1, 2), read.flatten(1, 2)), None, None
    if gain is not None:
        mean, scale = trace.norms.permute(1, 2, 0, 3, 4)
        d_shift, d_gain = d_s.sum((1, 2)), (d_s * (trace.raw - mean) * scale).sum((1, 2))
    return InputGradients(d_x, d_state, flat.sum(1), d_shift, d_weight, None, d_gain)


def norm_backward(
    d_normal: Float[Tensor, "*shape gates"], raw: Float[Tensor, "*shape gates"], norm: Float[Tensor, "2 *shape 1"]
) -> Float[Tensor, "*shape gates"]:
    """The gradient of a layer normalisation's input, without gain and shift; `norm` is its mean and 1 / deviation."""
    backward = torch.ops.aten.native_layer_norm_backward
    d_raw: Tensor = backward(d_normal, raw.contiguous(), raw.shape[-1:], *norm, None, None, [True, False, False])[0]
    return d_raw
