"""Dropout settings and masks."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Dropout(NamedTuple):
    """Shares of values that are set to zero in training; the others are scaled up (Srivastava et al. 2014, JMLR 15).

    `inputs`: embeddings and connections between layers; `encoded`: the encoder states that attention reads; `states`:
    the recurrent states. The last, and the connections between the decoder's layers, have one mask for all steps of a
    sentence (Gal and Ghahramani 2016, arXiv 1512.05287); with `variational`, all have.
    """

    inputs: float = 0.0
    encoded: float = 0.0
    states: float = 0.0
    readout: float = 0.0
    variational: bool = False


NO_DROPOUT = Dropout()


def dropout_mask(like: Tensor, shape: tuple[int, ...], share: float) -> Tensor | None:
    """A mask to multiply with, which sets `share` of the values to zero and scales up the rest; None for share 0."""
    if not share:
        return None
    if like.is_cpu:
        return _mask_on_cpu(like, shape, share)
    return torch.empty(shape, dtype=like.dtype, device=like.device).bernoulli_(1 - share).div_(1 - share)


def _mask_on_cpu(like: Tensor, shape: tuple[int, ...], share: float) -> Tensor:
    """The same, with the share rounded to 16 bits: each draw of 64 bits gives four values, eight times as fast."""
    values, dropped = math.prod(shape), min(round(share * 2**16), 2**16 - 1)
    draws = torch.empty(-(-values // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)[:values]
    mask = (draws >= dropped - 2**15).to(like.dtype).view(shape)
    return mask.mul_(2**16 / (2**16 - dropped))


def drop(
    sequence: Float[Tensor, "batch steps dim"], share: float, variational: bool, training: bool
) -> Float[Tensor, "batch steps dim"]:
    """Dropout of a sequence; `variational` drops the same values at all positions."""
    batch, steps, dim = sequence.shape
    mask = dropout_mask(sequence, (batch, 1 if variational else steps, dim), share) if training else None
    return sequence if mask is None else sequence * mask
