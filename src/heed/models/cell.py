"""One step of a GRU."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

EPSILON = 1e-5
"""Epsilon of layer normalisation, torch's default."""


class Cell(nn.GRUCell):
    """`torch.nn.GRUCell`, optionally with layer normalisation.

    Cho et al. 2014 (arXiv 1406.1078), in cuDNN's form; x is the input and s the state:

        r, z = sigmoid(x W + b + s U + c)
        n    = tanh(x W + b + r (s U + c))
        s'   = n + z (s - n)

    With layer normalisation, each of the two products is normalised over all gates before they are added (Ba et al.
    2016, arXiv 1607.06450, section 3.1 and its appendix).
    """

    def __init__(self, input_size: int, hidden_size: int, layer_norm: bool = False) -> None:
        super().__init__(input_size, hidden_size)
        gates = 3 * hidden_size
        self.norm_input = nn.LayerNorm(gates, EPSILON) if layer_norm else None
        self.norm_hidden = nn.LayerNorm(gates, EPSILON) if layer_norm else None

    def forward(  # type: ignore[override]
        self,
        inputs: Float[Tensor, "batch input"],
        state: Float[Tensor, "batch hid"],
        masked_state: Float[Tensor, "batch hid"] | None = None,
    ) -> Float[Tensor, "batch hid"]:
        """The state after `inputs`; `masked_state` is the state after dropout, which the gates read."""
        # under autocast torch's own cell returns a state in bfloat16 on a GPU, and in float32 on a CPU
        rounds = inputs.is_cuda and torch.is_autocast_enabled("cuda")
        if self.norm_input is None and masked_state is None and not rounds:
            return super().forward(inputs, state)
        x = nn.functional.linear(inputs, self.weight_ih, self.bias_ih)
        s = nn.functional.linear(state if masked_state is None else masked_state, self.weight_hh, self.bias_hh)
        return self.update(x, s, state)

    def update(
        self, x: Float[Tensor, "batch gates"], s: Float[Tensor, "batch gates"], state: Float[Tensor, "batch hid"]
    ) -> Float[Tensor, "batch hid"]:
        """The next state from the two products, x W + b and s U + c."""
        if self.norm_input is not None and self.norm_hidden is not None:
            x, s = self.norm_input(x), self.norm_hidden(s)
        x, s = x.to(state.dtype), s.to(state.dtype)  # under autocast the products have a smaller type
        hid = state.size(-1)
        gates = torch.sigmoid(x[..., : 2 * hid] + s[..., : 2 * hid])
        candidate = torch.tanh(torch.addcmul(x[..., 2 * hid :], gates[..., :hid], s[..., 2 * hid :]))
        return torch.lerp(candidate, state, gates[..., hid:])
