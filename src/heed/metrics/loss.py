"""The training loss, and the log-likelihood for perplexity."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from heed.errors import UserError


class Loss(NamedTuple):
    """Sums in nats over the labels that are not padding, and their number.

    Sums can be added over batches and ranks of different sizes and divided once; means cannot.
    """

    total: Float[Tensor, ""]
    """Label-smoothed cross entropy, which is minimised."""
    nll: Float[Tensor, ""]
    """Negative log-likelihood without smoothing, detached; perplexity is exp(nll / count)."""
    count: Int[Tensor, ""]  # type: ignore[assignment]  # hides tuple.count, which is not needed


def cross_entropy(
    logits: Float[Tensor, "batch tgt vocab"], labels: Int[Tensor, "batch tgt"], pad_id: int, smoothing: float = 0.0
) -> Loss:
    """Cross entropy against (1 - smoothing) * one_hot(label) + smoothing / vocab (Szegedy et al. 2016, section 7).

    The smoothing mass is spread over the whole vocabulary, including the label and the padding id, as in
    `torch.nn.functional.cross_entropy(label_smoothing=…)`. It is written out here because the same log-softmax also
    gives the likelihood without smoothing. Labels equal to pad_id add nothing to the sums and to the gradient.
    """
    check_smoothing(smoothing)
    # sums over thousands of words lose precision in bfloat16; float64 is not changed
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
    """Raise UserError unless the smoothing is a share."""
    if not 0.0 <= smoothing < 1.0:
        raise UserError(f"label smoothing is {smoothing}; expected 0 <= smoothing < 1, such as 0.1")


def guided_attention(
    weights: Float[Tensor, "batch tgt src"], wanted: Float[Tensor, "batch tgt src"]
) -> Float[Tensor, ""]:
    """Cross entropy of attention against the target attention, summed over rows, in nats (Chen et al. 2016, section 3).

    Rows of `wanted` sum to 1, or are zero, in which case they add nothing.
    """
    # a weight that underflowed to zero would make the loss infinite; if clamped, it would get no gradient
    return -(wanted * (weights.float() + 1e-9).log()).sum()
