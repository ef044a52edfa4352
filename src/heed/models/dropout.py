"""Where a model drops values while it trains, and what dropping leaves."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Dropout(NamedTuple):
    """Shares of values set to zero in training, those that are left scaled up (Srivastava et al. 2014, JMLR 15).

    `inputs` are embeddings and what one layer hands to the next, `encoded` the encoder's states as attention sees them,
    `states` the recurrent states, which keep one mask for all steps of a sentence (Gal and Ghahramani 2016, arXiv
    1512.05287). With `variational` all of them do.
    """

    inputs: float = 0.0
    encoded: float = 0.0
    states: float = 0.0
    readout: float = 0.0
    variational: bool = False


NOTHING = Dropout()


def keep(like: Tensor, shape: tuple[int, ...], share: float) -> Tensor | None:
    """A mask that sets `share` of what it multiplies to zero and scales up the rest; None where that is nothing."""
    if not share:
        return None
    return torch.empty(shape, dtype=like.dtype, device=like.device).bernoulli_(1 - share).div_(1 - share)


def drop(
    sequence: Float[Tensor, "batch steps dim"], share: float, variational: bool, training: bool
) -> Float[Tensor, "batch steps dim"]:
    """Dropout of a sequence; `variational` drops the same values at all its positions."""
    if not variational or not training:
        return nn.functional.dropout(sequence, share, training)
    kept = keep(sequence, (sequence.size(0), 1, sequence.size(2)), share)
    return sequence if kept is None else sequence * kept
