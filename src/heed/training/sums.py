"""Named sums over the updates of a run."""

from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

Sum = Float64[Tensor, ""]


class Means(NamedTuple):
    """Means per label, in nats."""

    loss: float
    nll: float
    guided: float
    divergence: float


class Sums(NamedTuple):
    """Sums over the labels of one or more updates, over all processes; all except `tokens` are in nats.

    They are zero-dimensional tensors on the device of the model, so that no update waits for their values. A zero on
    the CPU can be added to one on any device.
    """

    loss: Sum
    """Cross entropy with label smoothing."""
    nll: Sum
    """Negative log-likelihood of the references."""
    tokens: Sum
    """The number of labels, without padding."""
    guided: Sum
    """Loss of guided attention."""
    divergence: Sum
    """Loss of R-Drop."""

    def __add__(self, other: "Sums") -> "Sums":  # type: ignore[override]  # tuples would be concatenated
        return Sums(*(one + another for one, another in zip(self, other, strict=True)))

    def means(self) -> Means:
        """Each sum divided by the number of labels. Waits for the device once."""
        loss, nll, tokens, guided, divergence = torch.stack(self).tolist()
        return Means(loss / tokens, nll / tokens, guided / tokens, divergence / tokens)


def no_sums() -> Sums:
    """The sums of no updates."""
    return Sums(*(torch.zeros((), dtype=torch.float64) for _ in Sums._fields))
