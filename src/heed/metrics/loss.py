"""What training minimises, and what perplexity is made of."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
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
    return _cross_entropy(_log_softmax(logits), labels, pad_id, smoothing)


def r_drop(
    logits: Float[Tensor, "twice tgt vocab"], labels: Int[Tensor, "twice tgt"], pad_id: int, smoothing: float = 0.0
) -> tuple[Loss, Float[Tensor, ""]]:
    """Of a batch that stands in itself twice: the mean loss of its halves, and how far their predictions are apart.

    The second is (KL(p||q) + KL(q||p)) / 2, p and q what the halves give for a label, in nats, summed over the labels
    of one half (Liang et al. 2021, arXiv 2106.14448, equation 2).
    """
    log_probs = _log_softmax(logits)
    loss = _cross_entropy(log_probs, labels, pad_id, smoothing)
    real = (labels != pad_id)[: len(labels) // 2]
    divergence = _Divergence.apply(log_probs, real)  # type: ignore[no-untyped-call]
    return Loss(loss.total / 2, loss.nll / 2, loss.count // 2), divergence


def _log_softmax(logits: Float[Tensor, "batch tgt vocab"]) -> Float[Tensor, "batch tgt vocab"]:
    """In no less than float32: sums over thousands of words lose digits in bfloat16. float64 stays as it is."""
    return functional.log_softmax(logits, dim=-1, dtype=torch.promote_types(logits.dtype, torch.float32))


def _cross_entropy(
    log_probs: Float[Tensor, "batch tgt vocab"], labels: Int[Tensor, "batch tgt"], pad_id: int, smoothing: float
) -> Loss:
    if not 0.0 <= smoothing < 1.0:
        raise UserError(f"label smoothing is {smoothing}; expected 0 <= smoothing < 1, such as 0.1")
    nll = functional.nll_loss(log_probs.flatten(0, 1), labels.flatten(), ignore_index=pad_id, reduction="sum")
    padding = labels == pad_id
    total = nll
    if smoothing:
        uniform = -log_probs.mean(dim=-1).masked_fill(padding, 0.0).sum()
        total = (1.0 - smoothing) * nll + smoothing * uniform
    return Loss(total, nll.detach(), (~padding).sum())


class _Divergence(torch.autograd.Function):
    """Half the sum of (p - q)(log p - log q) over vocabulary and real labels, log p and log q stacked.

    Autograd would keep p, q and both differences until the backward pass, each as large as the logits of a half; here
    nothing is kept but the log-probabilities, which the cross entropy keeps anyway.
    """

    @staticmethod
    def forward(ctx: Any, log_probs: Float[Tensor, "twice tgt vocab"], real: Bool[Tensor, "half tgt"]) -> Tensor:
        ctx.save_for_backward(log_probs, real)
        one, other = log_probs.chunk(2)
        rows = one.exp().sub_(other.exp()).mul_(one - other).sum(-1)
        return 0.5 * rows.masked_fill(~real, 0.0).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_sum: Tensor) -> tuple[Tensor, None]:
        """By log p it is p (log p - log q) + p - q, by log q the same with the two exchanged."""
        log_probs, real = ctx.saved_tensors
        gradient = log_probs.exp()
        (one, other), (by_one, by_other) = log_probs.chunk(2), gradient.chunk(2)
        difference, gap = by_one - by_other, one - other
        by_one.mul_(gap).add_(difference)
        by_other.mul_(gap).add_(difference).neg_()
        gradient.masked_fill_(~real.repeat(2, 1).unsqueeze(2), 0.0)
        return gradient.mul_(0.5 * d_sum), None


def guided_attention(
    weights: Float[Tensor, "batch tgt src"], wanted: Float[Tensor, "batch tgt src"]
) -> Float[Tensor, ""]:
    """Cross entropy of attention against the attention wanted, summed over rows, in nats (Chen et al. 2016, section 3).

    Rows of `wanted` sum to 1; those that are zero throughout ask for nothing and count for nothing.
    """
    # a weight that has underflowed to zero would make the loss infinite; clamped, it would get no gradient
    return -(wanted * (weights.float() + 1e-9).log()).sum()
