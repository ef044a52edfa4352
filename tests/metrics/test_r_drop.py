"""R-Drop's two numbers, by hand and held against torch, and the derivative that is written out."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from heed.metrics.loss import cross_entropy, r_drop

PAD = 0


def example(batch: int = 3, tgt: int = 4, vocab: int = 6) -> tuple[Tensor, Tensor]:
    """Logits of both halves, which differ, and the labels of each half."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2 * batch, tgt, vocab, generator=generator, dtype=torch.float64)
    labels = torch.randint(1, vocab, (batch, tgt), generator=generator)
    labels[0, 3:] = labels[1, 1:] = PAD
    return logits, labels.repeat(2, 1)


def test_by_hand() -> None:
    """Of p = (3/4, 1/4) and q = (1/2, 1/2): catches one direction alone, a sum for a mean, and base-2 logarithms."""
    logits = torch.tensor([[[0.75, 0.25]], [[0.5, 0.5]]], dtype=torch.float64).log()
    loss, divergence = r_drop(logits, torch.tensor([[1], [1]]), PAD)
    forth = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    back = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert float(divergence) == pytest.approx((forth + back) / 2)
    assert float(loss.total) == pytest.approx((math.log(4) + math.log(2)) / 2)
    assert int(loss.count) == 1


def test_equals_what_torch_computes_from_each_half() -> None:
    """Catches rows of one half compared with others of the other, and padding that is counted."""
    logits, labels = example()
    loss, divergence = r_drop(logits, labels, PAD, 0.1)
    halves = logits.chunk(2)
    parts = [cross_entropy(half, labels[:3], PAD, 0.1) for half in halves]
    for name in ("total", "nll"):
        torch.testing.assert_close(getattr(loss, name), (getattr(parts[0], name) + getattr(parts[1], name)) / 2)
    assert loss.count == parts[0].count == 8
    one, other = (functional.log_softmax(half, dim=-1)[labels[:3] != PAD] for half in halves)
    both = [functional.kl_div(a, b, reduction="sum", log_target=True) for a, b in ((one, other), (other, one))]
    torch.testing.assert_close(divergence, sum(both) / 2)


def test_equal_halves_are_one_plain_batch() -> None:
    """Catches a loss that is counted twice, and a gradient that pulls equal predictions apart."""
    half, labels = example()[0][:3], example()[1]
    doubled, plain = half.repeat(2, 1, 1).requires_grad_(), half.clone().requires_grad_()
    loss, divergence = r_drop(doubled, labels, PAD, 0.1)
    assert float(divergence.detach()) == 0.0
    (loss.total + 5 * divergence).backward()
    cross_entropy(plain, labels[:3], PAD, 0.1).total.backward()
    assert doubled.grad is not None
    torch.testing.assert_close(doubled.grad[:3] + doubled.grad[3:], plain.grad)


def test_the_gradient_is_the_derivative() -> None:
    """Catches a sign, a half, or the other distribution in the derivative written by hand."""
    logits, labels = example()
    assert torch.autograd.gradcheck(lambda x: r_drop(x, labels, PAD, 0.1)[1], logits.clone().requires_grad_())
    total = [lambda x: r_drop(x, labels, PAD, 0.1)[0].total + 3 * r_drop(x, labels, PAD, 0.1)[1]]
    assert torch.autograd.gradcheck(total[0], logits.clone().requires_grad_())


def test_padding_changes_nothing() -> None:
    """Catches padding that reaches the sum or the gradient, even where its logits are absurd."""
    logits, labels = example()
    more = torch.cat((logits, torch.full((6, 2, 6), 1e30, dtype=torch.float64)), dim=1)
    more[:3, 4:, 2] = -math.inf
    logits.requires_grad_()
    more.requires_grad_()
    plain = r_drop(logits, labels, PAD)[1]
    padded = r_drop(more, functional.pad(labels, (0, 2), value=PAD), PAD)[1]
    assert plain.equal(padded)
    by_plain, by_padded = torch.autograd.grad(plain, logits)[0], torch.autograd.grad(padded, more)[0]
    assert by_padded[:, :4].equal(by_plain)
    assert not by_plain[labels == PAD].any()


def test_half_precision_is_summed_in_single() -> None:
    """Catches differences of bfloat16 log-probabilities, most of which would be zero."""
    logits = torch.randn(8, 20, 16, generator=torch.Generator().manual_seed(1)).bfloat16()
    labels = torch.ones(8, 20, dtype=torch.long)
    single, half = r_drop(logits.float(), labels, PAD)[1], r_drop(logits, labels, PAD)[1]
    assert half.dtype is torch.float32
    torch.testing.assert_close(half, single)


def test_a_batch_of_padding_costs_nothing() -> None:
    logits = torch.randn(4, 3, 5).requires_grad_()
    loss, divergence = r_drop(logits, torch.full((4, 3), PAD), PAD, 0.1)
    assert (float(loss.total), int(loss.count), float(divergence)) == (0.0, 0, 0.0)
    divergence.backward()
    assert logits.grad is not None
    assert not logits.grad.any()
