"""A GRU over whole sequences whose inputs are known: the encoder, and decoder layers above the one that attends.

torch's own loop on a CPU records every step for autograd and sums up the weights' gradients step by step. Here a step
keeps what its derivatives need, and a weight's gradient is one large product over all steps. The equations are those
of `torch.nn.GRU` (Cho et al. 2014, arXiv 1406.1078, in cuDNN's form):

    r, z = sigmoid(x W + b + s U + c)
    n    = tanh(x W + b + r (s U + c))
    s'   = n + z (s - n)

With layer normalisation each of the two products is normalised over all gates before they are added (Ba et al. 2016,
arXiv 1607.06450, section 3.1 and its appendix). With a mask for the state, the recurrent product reads s times the
mask, one mask for all steps of a sentence (Gal and Ghahramani 2016, arXiv 1512.05287).
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from heed.models.product import product
from heed.models.replay import Replayed, padded

EPSILON = 1e-5
"""Added to the variance in a layer normalisation, as torch does."""


class Cell(nn.GRUCell):
    """One step: `torch.nn.GRUCell`, with layer normalisation where it is asked for."""

    def __init__(self, input_size: int, hidden_size: int, layer_norm: bool = False) -> None:
        super().__init__(input_size, hidden_size)
        gates = 3 * hidden_size
        self.norm_input = nn.LayerNorm(gates, EPSILON) if layer_norm else None
        self.norm_hidden = nn.LayerNorm(gates, EPSILON) if layer_norm else None

    def forward(  # type: ignore[override]
        self,
        inputs: Float[Tensor, "batch input"],
        state: Float[Tensor, "batch hid"],
        seen: Float[Tensor, "batch hid"] | None = None,
    ) -> Float[Tensor, "batch hid"]:
        """The state after `inputs`; `seen` is what dropout left of the state that the gates read."""
        if self.norm_input is None and seen is None and self.weight_ih.dtype == inputs.dtype:
            return super().forward(inputs, state)
        x = product(inputs, self.weight_ih, self.bias_ih)
        s = product(state if seen is None else seen, self.weight_hh, self.bias_hh)
        if self.norm_input is not None and self.norm_hidden is not None:
            x, s = self.norm_input(x), self.norm_hidden(s)
        return combine(x.to(state.dtype), s.to(state.dtype), state)


def combine(
    x: Float[Tensor, "*shape gates"], s: Float[Tensor, "*shape gates"], state: Float[Tensor, "*shape hid"]
) -> Float[Tensor, "*shape hid"]:
    """The next state from what the gates get of the input and of the state."""
    hid = state.size(-1)
    gates = torch.sigmoid(x[..., : 2 * hid] + s[..., : 2 * hid])
    candidate = torch.tanh(torch.addcmul(x[..., 2 * hid :], gates[..., :hid], s[..., 2 * hid :]))
    return torch.lerp(candidate, state, gates[..., hid:])


def step_forward(
    x: Float[Tensor, "*shape gates"],
    s: Float[Tensor, "*shape gates"],
    state: Float[Tensor, "*shape hid"],
    gates: Float[Tensor, "*shape two_hid"],
    candidate: Float[Tensor, "*shape hid"],
    recurrent: Float[Tensor, "*shape hid"],
    after: Float[Tensor, "*shape hid"],
) -> None:
    """`combine`, which writes the next state to `after` and what its derivatives need to the three before."""
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
    """Write the gradients of x and s; give that of the state by the way past the gates."""
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
    """The weights of the product with the state, one set for each direction; `gain` and `shift` are of its norm."""

    weight: Float[Tensor, "directions gates hid"]
    bias: Float[Tensor, "directions gates"]
    gain: Float[Tensor, "directions gates"] | None = None
    shift: Float[Tensor, "directions gates"] | None = None


def unroll(
    x: Float[Tensor, "directions steps batch gates"],
    state: Float[Tensor, "directions batch hid"],
    recurrent: Recurrent,
    keep: Float[Tensor, "directions batch hid"] | None = None,
) -> Float[Tensor, "directions steps batch hid"]:
    """The state after every step, of directions that know nothing of each other and are computed side by side.

    `x` is the input's product, bias and normalisation included. Under autocast the products are in its type, the
    states stay as they are.
    """
    low, (steps, batch) = compute_type(state), x.shape[1:3]
    with torch.autocast(state.device.type, enabled=False):
        states = _Unroll.apply(  # type: ignore[no-untyped-call]
            padded(x.to(state.dtype), 1, 2),
            padded(state, 1),
            recurrent.bias.to(low),
            recurrent.shift,
            recurrent.weight.to(low),
            None if keep is None else padded(keep, 1),
            recurrent.gain,
        )
    return states[:, :steps, :batch]


def layer(
    cell: Cell,
    inputs: Float[Tensor, "batch steps input"],
    state: Float[Tensor, "batch hid"],
    keep: Float[Tensor, "batch hid"] | None = None,
) -> Float[Tensor, "batch steps hid"]:
    """The cell at every step of a sequence."""
    x = product(inputs.transpose(0, 1), cell.weight_ih, cell.bias_ih)
    x = x if cell.norm_input is None else cell.norm_input(x)
    norm = () if cell.norm_hidden is None else (cell.norm_hidden.weight[None], cell.norm_hidden.bias[None])
    recurrent = Recurrent(cell.weight_hh[None], cell.bias_hh[None], *norm)
    states = unroll(x[None], state[None], recurrent, None if keep is None else keep[None])
    return states[0].transpose(0, 1)


def compute_type(tensor: Tensor) -> torch.dtype:
    """The type of products under autocast, the tensor's own without."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


class _Unroll(torch.autograd.Function):
    """The loop over positions, with the backward pass written here."""

    @staticmethod
    def forward(ctx: Any, *given: Tensor | None) -> Tensor:
        states, *kept = _forward(*given)
        ctx.save_for_backward(states, *kept, *given[4:])  # what the derivatives ask for comes last
        return states[:, 1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_states: Tensor) -> Any:
        return _backward(d_states, *ctx.saved_tensors)


@Replayed
def _forward(
    x: Float[Tensor, "directions steps batch gates"],
    state: Float[Tensor, "directions batch hid"],
    bias: Float[Tensor, "directions gates"],
    shift: Float[Tensor, "directions gates"] | None,
    weight: Float[Tensor, "directions gates hid"],
    keep: Float[Tensor, "directions batch hid"] | None,
    gain: Float[Tensor, "directions gates"] | None,
) -> tuple[Tensor, Tensor | None, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """States, the first one included, and what the backward pass needs besides."""
    directions, steps, batch, width = x.shape
    hid, normed = state.size(2), width if gain is not None else 0
    size = directions, steps, batch, hid
    states = state.new_empty(directions, steps + 1, batch, hid)
    states[:, 0] = state
    as_it_is = keep is None and weight.dtype == state.dtype
    seen = None if as_it_is else weight.new_empty(size)
    gates = state.new_empty(directions, steps, batch, 2 * hid)
    candidate, recurrent = state.new_empty(size), state.new_empty(size)
    raw, norms = state.new_empty(directions, steps, batch, normed), state.new_empty(steps, 2, directions, batch, 1)
    for t in range(steps):
        now = states[:, t]
        if seen is not None:
            seen[:, t] = now if keep is None else now * keep
            now = seen[:, t]
        s = torch.baddbmm(bias.unsqueeze(1), now, weight.transpose(1, 2)).to(state.dtype)
        if gain is not None and shift is not None:
            raw[:, t] = s
            s, norms[t, 0], norms[t, 1] = torch.native_layer_norm(s, (width,), None, None, EPSILON)
            s = torch.addcmul(shift.unsqueeze(1), s, gain.unsqueeze(1))
        step_forward(x[:, t], s, states[:, t], gates[:, t], candidate[:, t], recurrent[:, t], states[:, t + 1])
    return states, seen, gates, candidate, recurrent, raw, norms


@Replayed
def _backward(
    d_states: Float[Tensor, "directions steps batch hid"],
    states: Float[Tensor, "directions steps_and_first batch hid"],
    seen: Float[Tensor, "directions steps batch hid"] | None,
    gates: Float[Tensor, "directions steps batch two_hid"],
    candidate: Float[Tensor, "directions steps batch hid"],
    recurrent: Float[Tensor, "directions steps batch hid"],
    raw: Float[Tensor, "directions steps batch normed"],
    norms: Float[Tensor, "steps 2 directions batch 1"],
    weight: Float[Tensor, "directions gates hid"],
    keep: Float[Tensor, "directions batch hid"] | None,
    gain: Float[Tensor, "directions gates"] | None,
) -> tuple[Tensor | None, ...]:
    """Gradients of all that the forward pass was given, None for `keep`."""
    directions, steps, batch, _ = d_states.shape
    d_x = states.new_empty(directions, steps, batch, weight.size(1))
    d_s = torch.empty_like(d_x)
    as_they_are = gain is None and weight.dtype == d_s.dtype
    d_products = d_s if as_they_are else torch.empty_like(d_s, dtype=weight.dtype)
    d_state = torch.zeros_like(states[:, 0])
    for t in range(steps - 1, -1, -1):
        past = step_backward(
            d_state + d_states[:, t],
            states[:, t], gates[:, t], candidate[:, t], recurrent[:, t], d_x[:, t], d_s[:, t],
        )  # fmt: skip
        if gain is not None:
            d_products[:, t] = norm_backward(d_s[:, t] * gain.unsqueeze(1), raw[:, t], norms[t])
        elif not as_they_are:
            d_products[:, t] = d_s[:, t]
        d_seen = torch.bmm(d_products[:, t], weight)
        d_state = past + (d_seen if keep is None else d_seen * keep)
    flat = d_products.flatten(1, 2)
    d_weight = torch.bmm(flat.transpose(1, 2), (states[:, :-1] if seen is None else seen).flatten(1, 2))
    if gain is None:
        return d_x, d_state, flat.sum(1), None, d_weight, None, None
    mean, scale = norms.permute(1, 2, 0, 3, 4)
    d_gain = (d_s * (raw - mean) * scale).sum((1, 2))
    return d_x, d_state, flat.sum(1), d_s.sum((1, 2)), d_weight, None, d_gain


def norm_backward(
    d_normal: Float[Tensor, "*shape gates"], raw: Float[Tensor, "*shape gates"], norm: Float[Tensor, "2 *shape 1"]
) -> Float[Tensor, "*shape gates"]:
    """The gradient before a layer normalisation without gain and shift, `norm` its mean and 1 / deviation."""
    backward = torch.ops.aten.native_layer_norm_backward
    d_raw: Tensor = backward(d_normal, raw.contiguous(), raw.shape[-1:], *norm, None, None, [True, False, False])[0]
    return d_raw
