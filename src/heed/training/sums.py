"""What the updates of a run add up to, by name."""

from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

Sum = Float64[Tensor, ""]


class Means(NamedTuple):
    """The same per label, in nats."""

    loss: float
    nll: float
    guided: float
    divergence: float


class Sums(NamedTuple):
    """Sums over the labels of one or more updates, of all processes together; all but `tokens` in nats.

    Zero-dimensional tensors: they stay on the device of the model, so that no update waits for their values, and one
    that begins at zero on the CPU can be added to one on any device.
    """

    loss: Sum
    """What the cross entropy is with label smoothing."""
    nll: Sum
    """Negative log-likelihood of the references."""
    tokens: Sum
    """Labels; padding is not counted."""
    guided: Sum
    """What guided attention adds to the loss."""
    divergence: Sum
    """What R-Drop adds to the loss."""

    def __add__(self, other: "Sums") -> "Sums":  # type: ignore[override]  # a tuple would be put behind the other
        return Sums(*(one + another for one, another in zip(self, other, strict=True)))

    def means(self) -> Means:
        """The mean over all labels of each sum. Waits for the device, once."""
        loss, nll, tokens, guided, divergence = torch.stack(self).tolist()
        return Means(loss / tokens, nll / tokens, guided / tokens, divergence / tokens)


def no_sums() -> Sums:
    """The sums of no updates."""
    return Sums(*(torch.zeros((), dtype=torch.float64) for _ in Sums._fields))
