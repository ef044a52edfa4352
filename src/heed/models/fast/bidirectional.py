"""The layers of an encoder with the loop of `heed.models.fast.gru`, both directions together."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from heed.models.dropout import Dropout, drop, dropout_mask
from heed.models.fast.gru import Recurrent, unroll

Norms = tuple[nn.ModuleList, nn.ModuleList]
"""Layer normalisations of the products of input and state, for each layer and direction; or none."""


def run(
    gru: nn.GRU, norms: Norms, emb: Float[Tensor, "batch src emb"], src_len: Int[Tensor, " batch"], dropout: Dropout
) -> tuple[Float[Tensor, "batch src enc"], Float[Tensor, "batch enc"]]:
    """Compute `Encoder.run_packed`: states, zero at padding, and the last states of all directions, concatenated.

    Supports layer normalisation, and dropout between layers and of states, which `torch.nn.GRU` does not.
    """
    length = src_len.to(emb.device).unsqueeze(1)
    position = torch.arange(emb.size(1), device=emb.device)
    reverse = torch.where(position < length, length - 1 - position, position).t().unsqueeze(2)
    real = (position < length).t().unsqueeze(2)
    states = emb.transpose(0, 1)
    for layer in range(gru.num_layers):
        if layer:
            dropped = drop(states.transpose(0, 1), dropout.inputs, dropout.variational, training=True)
            states = dropped.transpose(0, 1)
        directions = _layer(gru, norms, layer, _both(states, reverse, gru.bidirectional), dropout.states)
        states = _joined(directions, reverse, real)
    last = (length - 1).view(1, -1, 1)
    ends = [direction.gather(0, last.expand(1, -1, direction.size(2)))[0] for direction in directions]
    return states.transpose(0, 1), torch.cat(ends, dim=1)


def _both(
    states: Float[Tensor, "src batch input"], reverse: Int[Tensor, "src batch 1"], bidirectional: bool
) -> Float[Tensor, "directions src batch input"]:
    """Inputs of the directions: the second one reads reversed sentences, with the padding still at the end."""
    if not bidirectional:
        return torch.stack([states])
    return torch.stack([states, _Reversed.apply(states, reverse)])  # type: ignore[no-untyped-call]


def _joined(
    directions: Float[Tensor, "directions src batch hid"],
    reverse: Int[Tensor, "src batch 1"],
    real: Bool[Tensor, "src batch 1"],
) -> Float[Tensor, "src batch enc"]:
    """States of both directions in the order of the words, zero at padding."""
    ordered = [directions[0], *(_Reversed.apply(backward, reverse) for backward in directions[1:])]  # type: ignore[no-untyped-call]
    return torch.cat(ordered, dim=2) * real


class _Reversed(torch.autograd.Function):
    """Reverse each sentence, but not its padding.

    The gradient is reversed by the same rule. Left to autograd it would be a sum over positions, for which a GPU sorts
    the numbers of a whole batch if it is to be deterministic.
    """

    @staticmethod
    def forward(
        ctx: Any, states: Float[Tensor, "src batch hid"], reverse: Int[Tensor, "src batch 1"]
    ) -> Float[Tensor, "src batch hid"]:
        ctx.save_for_backward(reverse)
        return states.gather(0, reverse.expand_as(states))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (reverse,) = ctx.saved_tensors
        return gradients[0].gather(0, reverse.expand_as(gradients[0])), None


def _layer(
    gru: nn.GRU, norms: Norms, layer: int, reads: Float[Tensor, "directions src batch input"], drop_states: float
) -> Float[Tensor, "directions src batch hid"]:
    names = [f"l{layer}{direction}" for direction in ("", "_reverse")[: len(reads)]]
    weight_ih, bias_ih, weight_hh, bias_hh = (
        torch.stack([getattr(gru, f"{part}_{name}") for name in names])
        for part in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
    )
    x = torch.baddbmm(bias_ih.unsqueeze(1), reads.flatten(1, 2), weight_ih.transpose(1, 2))
    x = x.unflatten(1, reads.shape[1:3])
    recurrent = Recurrent(weight_hh, bias_hh)
    if norms[0]:
        own = slice(layer * len(reads), (layer + 1) * len(reads))
        x = torch.stack([norm(part) for norm, part in zip(norms[0][own], x, strict=True)])
        recurrent = Recurrent(weight_hh, bias_hh, *_gains(norms[1][own]))
    state = bias_hh.new_zeros(len(reads), reads.size(2), gru.hidden_size)
    return unroll(x, state, recurrent, dropout_mask(state, tuple(state.shape), drop_states))


def _gains(norms: nn.ModuleList) -> tuple[Tensor, Tensor]:
    """Gains and shifts of layer normalisations, one row each."""
    parameters = [dict(norm.named_parameters()) for norm in norms]
    return tuple(torch.stack([each[name] for each in parameters]) for name in ("weight", "bias"))  # type: ignore[return-value]
