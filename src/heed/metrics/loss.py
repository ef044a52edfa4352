"""What training minimises, and what perplexity is made of."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from heed.errors import UserError


class Loss(NamedTuple):
    """Sums in nats over the labels that are not padding, and how many labels those were.

    Sums, because only they can be added over batches and ranks of unequal size and then divided once.
    """

    total: Float[Tensor, ""]
    """Label-smoothed cross entropy: the one to minimise."""
    nll: Float[Tensor, ""]
    """Negative log-likelihood without smoothing, detached: perplexity is exp(nll / count)."""
    count: Int[Tensor, ""]  # type: ignore[assignment]  # hides tuple.count, which nobody needs of a loss


def cross_entropy(
    logits: Float[Tensor, "batch tgt vocab"], labels: Int[Tensor, "batch tgt"], pad_id: int, smoothing: float = 0.0
) -> Loss:
    """Cross entropy against (1 - smoothing) * one_hot(label) + smoothing / vocab (Szegedy et al. 2016, section 7).

    The smoothing mass is spread over the whole vocabulary, the label and the padding id included, which is what
    `torch.nn.functional.cross_entropy(label_smoothing=…)` does; it is written out because the un-smoothed likelihood
    comes from the same log-softmax at no cost. Labels equal to pad_id count for nothing, in the sums and the gradient.
    """
    check_smoothing(smoothing)
    # Sums over thousands of words lose digits in bfloat16; float64 stays as it is.
    dtype = torch.promote_types(logits.dtype, torch.float32)
    log_probs = functional.log_softmax(logits, dim=-1, dtype=dtype)
    nll = functional.nll_loss(log_probs.flatten(0, 1), labels.flatten(), ignore_index=pad_id, reduction="sum")
    padding = labels == pad_id
    total = nll
    if smoothing:
        uniform = -log_probs.mean(dim=-1).masked_fill(padding, 0.0).sum()
        total = (1.0 - smoothing) * nll + smoothing * uniform
    return Loss(total, nll.detach(), (~padding).sum())


def check_smoothing(smoothing: float) -> None:
    """UserError for a share that is none."""
    if not 0.0 <= smoothing < 1.0:
        raise UserError(f"label smoothing is {smoothing}; expected 0 <= smoothing < 1, such as 0.1")


def guided_attention(
    weights: Float[Tensor, "batch tgt src"], wanted: Float[Tensor, "batch tgt src"]
) -> Float[Tensor, ""]:
    """Cross entropy of attention against the attention wanted, summed over rows, in nats (Chen et al. 2016, section 3).

    Rows of `wanted` sum to 1; those that are zero throughout ask for nothing and count for nothing.
    """
    # a weight that has underflowed to zero would make the loss infinite; clamped, it would get no gradient
    return -(wanted * (weights.float() + 1e-9).log()).sum()
