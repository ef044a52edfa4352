"""The loss of a linear layer over a whole vocabulary, without storing the logits of all labels.

The logits of a batch would be its largest tensor by far. Here the products take some thousand rows at a time, and what
follows each logit takes a few dozen rows, which fit into the cache of a CPU's core. Only the gradient is stored.
`torch.nn.functional.linear_cross_entropy` does the same for plain cross entropy; this one also returns the likelihood
without smoothing and R-Drop's divergence, from one softmax.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

BYTES = {"cpu": (2**24, 2**20)}
"""By device: bytes of logits in one product, and of float32 logits that are normalised together. On a CPU, the second
must fit into the cache of a core, or every operation would read and write memory."""

MANY_BYTES = (2**27, 2**27)
"""The same for other devices."""

LEAST = 512
"""Rows of a product, also if they take more bytes: every product reads the whole output layer."""

MULTIPLE = 64
"""In bfloat16 on a CPU, the products of this loss have a multiple of this many rows. oneDNN compiles code for each
shape, which takes a millisecond, and keeps it, and almost any number of labels occurs in a batch."""


class LossSums(NamedTuple):
    """Sums in nats over the labels that are not padding, and their number: as `heed.metrics.loss.Loss`."""

    total: Float[Tensor, ""]
    nll: Float[Tensor, ""]
    count: Int[Tensor, ""]  # type: ignore[assignment]  # hides tuple.count, which is not needed


def vocabulary_loss(
    readout: Float[Tensor, "batch tgt readout"],
    weight: Float[Tensor, "vocab readout"],
    bias: Float[Tensor, " vocab"],
    labels: Int[Tensor, "batch tgt"],
    pad_id: int,
    smoothing: float = 0.0,
    r_drop: float = 0.0,
) -> tuple[LossSums, Float[Tensor, ""]]:
    """`heed.metrics.loss.cross_entropy` of the logits `readout @ weight.T + bias`, plus R-Drop's loss.

    With `r_drop`, alpha in Liang et al. 2021 (arXiv 2106.14448, equation 4), the batch contains every sentence twice:
    the loss is the mean over its two halves, plus alpha / 2 times (KL(p||q) + KL(q||p)) / 2, with the predictions p and
    q of the halves for a label. (The paper has the sum instead of the mean, so this is half of its loss.) The gradient
    of `total` is that of both parts.

    Raises:
        ValueError: `smoothing` is outside [0, 1).
    """
    if not 0 <= smoothing < 1:
        raise ValueError(f"label smoothing is {smoothing}; expected 0 <= smoothing < 1, such as 0.1")
    copies = 2 if r_drop else 1
    labels = labels[: len(labels) // copies].flatten()
    real = (labels != pad_id).nonzero().squeeze(1)
    rows = readout.reshape(copies, len(labels), -1).index_select(1, real)
    low = torch.get_autocast_dtype(rows.device.type) if torch.is_autocast_enabled(rows.device.type) else weight.dtype
    with torch.autocast(rows.device.type, enabled=False):
        objective, nll, divergence = _VocabularyLoss.apply(  # type: ignore[no-untyped-call]
            rows.to(low), weight, bias, labels[real], smoothing, r_drop
        )
    return LossSums(objective - divergence, nll, torch.tensor(len(real), device=labels.device)), divergence


class _VocabularyLoss(torch.autograd.Function):
    """Forward also computes the gradients; backward only scales them."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: Float[Tensor, "copies labels readout"],
        weight: Float[Tensor, "vocab readout"],
        bias: Float[Tensor, " vocab"],
        labels: Int[Tensor, " labels"],
        smoothing: float,
        r_drop: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        table, low_bias = weight.to(rows.dtype), bias.to(rows.dtype)
        d_rows, d_weight, d_bias = torch.empty_like(rows), torch.zeros_like(table), torch.zeros_like(bias)
        scores, divergence = [weight.new_zeros(2)], weight.new_zeros(())
        in_a_product, in_cache = BYTES.get(rows.device.type, MANY_BYTES)
        at_once = max(_rows(in_a_product, len(rows) * len(table) * rows.element_size()), LEAST // len(rows))
        few = _rows(in_cache, len(rows) * len(table) * weight.element_size())
        for start in range(0, len(labels), at_once):
            part = rows[:, start : start + at_once]
            flat, count = _padded(part.flatten(0, 1)), len(rows) * part.size(1)
            product = torch.addmm(low_bias, flat, table.t())
            product[count:] = 0
            both = product[:count].view(*part.shape[:2], -1)
            for piece, wanted in zip(both.split(few, 1), labels[start : start + at_once].split(few), strict=True):
                own = wanted.view(1, -1, 1).expand(len(rows), -1, 1)
                logits = piece.to(weight.dtype).contiguous()  # softmax would work on a copy
                gap = logits[0] - logits[1] if r_drop else None
                losses, log_sum = _cross_entropy_(logits, own, smoothing)
                scores.append(losses)
                if gap is not None:
                    divergence += _divergence_(logits, gap, log_sum, r_drop)
                _subtract_wanted_(logits, own, smoothing)
                d_bias += logits.sum((0, 1))
                piece.copy_(logits)
            d_rows[:, start : start + at_once] = torch.mm(product, table)[:count].view_as(part)
            if rows.dtype == weight.dtype:
                d_weight.addmm_(product.t(), flat)
            else:
                d_product = torch.mm(product.t(), flat)
                d_weight = d_product if start == 0 else d_weight.to(weight.dtype).add_(d_product)
        total, nll = torch.stack(scores).sum(0)
        ctx.save_for_backward(d_rows, d_weight, d_bias)
        ctx.mark_non_differentiable(nll, divergence)
        return total + divergence, nll, divergence

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_objective: Tensor, *_: Any) -> Any:
        d_rows, d_weight, d_bias = ctx.saved_tensors
        return d_rows * d_objective, d_weight.to(d_bias.dtype) * d_objective, d_bias * d_objective, None, None, None


def _rows(size: int, of_a_label: int) -> int:
    """How many labels take `size` bytes if one takes `of_a_label`: at least 1; above `MULTIPLE`, a multiple of it."""
    number = max(size // of_a_label, 1)
    return number - number % MULTIPLE if number > MULTIPLE else number


def _padded(rows: Float[Tensor, "rows dim"]) -> Float[Tensor, "padded dim"]:
    """The rows; in bfloat16 on a CPU, followed by zeros up to a multiple of `MULTIPLE`."""
    missing = -len(rows) % MULTIPLE if rows.is_cpu and rows.dtype == torch.bfloat16 else 0
    return torch.nn.functional.pad(rows, (0, 0, 0, missing)) if missing else rows


def _cross_entropy_(
    logits: Float[Tensor, "copies labels vocab"], own: Int[Tensor, "copies labels 1"], smoothing: float
) -> tuple[Float[Tensor, "2"], Float[Tensor, "copies labels 1"]]:
    """Turn logits into probabilities in place; return loss with and without smoothing, and each row's log-sum-exp."""
    top, of_label = logits.amax(-1, keepdim=True), logits.gather(-1, own)
    mean = logits.mean(-1, keepdim=True) if smoothing else of_label
    torch.softmax(logits, dim=-1, out=logits)
    log_sum = top - logits.amax(-1, keepdim=True).log()  # the largest probability is at least 1 / vocab: exact
    nll = (log_sum - of_label).sum() / len(logits)
    total = (1 - smoothing) * nll + smoothing * (log_sum - mean).sum() / len(logits)
    return torch.stack((total, nll)), log_sum


def _subtract_wanted_(
    gradient: Float[Tensor, "copies labels vocab"], own: Int[Tensor, "copies labels 1"], smoothing: float
) -> None:
    """Subtract the target distribution of each label from the probabilities."""
    share = 1 / len(gradient)
    gradient.scatter_add_(-1, own, gradient.new_full((), -share * (1 - smoothing)).expand(own.shape))
    if smoothing:
        gradient.sub_(share * smoothing / gradient.size(-1))


def _divergence_(
    both: Float[Tensor, "2 labels vocab"],
    gap: Float[Tensor, "labels vocab"],
    log_sum: Float[Tensor, "2 labels 1"],
    r_drop: float,
) -> Float[Tensor, ""]:
    """R-Drop's part of the loss; replace the probabilities p and q by its gradient plus half of themselves.

    `gap` is the difference of the logits, and becomes g = log p - log q. The gradient of KL(p||q) + KL(q||p) by p's
    logits is p (g - KL(p||q)) + p - q; by q's logits it is the same with p and q exchanged, and -g.
    """
    p, q = both
    gap += log_sum[1] - log_sum[0]
    difference = p - q
    scale = r_drop / 4
    kl_p, kl_q = (p * gap).sum(-1, keepdim=True), -(q * gap).sum(-1, keepdim=True)
    p.mul_(torch.add(0.5 - scale * kl_p, gap, alpha=scale)).add_(difference, alpha=scale)
    q.mul_(torch.sub(0.5 - scale * kl_q, gap, alpha=scale)).sub_(difference, alpha=scale)
    divergence: Tensor = scale * (kl_p + kl_q).sum()
    return divergence
