import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from heed.errors import UserError
from heed.metrics.loss import cross_entropy

PAD = 0


def example(batch: int = 3, tgt: int = 5, vocab: int = 7) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(batch, tgt, vocab, generator=generator, dtype=torch.float64)
    labels = torch.randint(1, vocab, (batch, tgt), generator=generator)
    labels[0, 3:] = labels[1, 1:] = PAD
    return logits, labels


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_equals_torch(smoothing: float) -> None:
    """Catches a smoothing mass spread over anything but the whole vocabulary, and padding that is counted."""
    logits, labels = example()
    loss = cross_entropy(logits, labels, PAD, smoothing)
    flat, target = logits.flatten(0, 1), labels.flatten()
    torch.testing.assert_close(
        loss.total,
        functional.cross_entropy(flat, target, ignore_index=PAD, reduction="sum", label_smoothing=smoothing),
    )
    torch.testing.assert_close(loss.nll, functional.cross_entropy(flat, target, ignore_index=PAD, reduction="sum"))
    assert int(loss.count) == 3 + 1 + 5


def test_by_hand() -> None:
    """Probabilities 0.7, 0.2, 0.1; catches base-2 logarithms and a smoothing mass that leaves the label out."""
    logits = torch.tensor([[[0.7, 0.2, 0.1]]], dtype=torch.float64).log()
    loss = cross_entropy(logits, torch.tensor([[1]]), PAD, smoothing=0.3)
    assert float(loss.nll) == pytest.approx(-math.log(0.2))
    assert float(loss.total) == pytest.approx(-0.7 * math.log(0.2) - 0.1 * math.log(0.7 * 0.2 * 0.1))


def test_uniform_logits_cost_log_vocab_a_label() -> None:
    loss = cross_entropy(torch.zeros(2, 3, 11), torch.ones(2, 3, dtype=torch.long), PAD, smoothing=0.2)
    assert float(loss.total) == pytest.approx(6 * math.log(11), rel=1e-6)


def test_padding_changes_nothing() -> None:
    """Catches padded positions that reach the sums or the gradient, even with absurd logits."""
    logits, labels = example()
    more_logits = torch.cat([logits, torch.full((3, 4, 7), 1e30, dtype=torch.float64)], dim=1)
    more_labels = torch.cat([labels, torch.full((3, 4), PAD)], dim=1)
    logits.requires_grad_()
    more_logits.requires_grad_()
    plain, padded = cross_entropy(logits, labels, PAD, 0.1), cross_entropy(more_logits, more_labels, PAD, 0.1)
    plain.total.backward()
    padded.total.backward()
    assert plain.total.equal(padded.total)
    assert plain.nll.equal(padded.nll)
    assert plain.count.equal(padded.count)
    assert logits.grad is not None
    assert more_logits.grad is not None
    assert more_logits.grad[:, :5].equal(logits.grad)
    assert not more_logits.grad[:, 5:].any()
    assert not logits.grad[labels == PAD].any()


def test_without_smoothing_the_total_is_the_likelihood() -> None:
    loss = cross_entropy(*example(), PAD)
    assert loss.total.equal(loss.nll)


def test_likelihood_ignores_smoothing_and_carries_no_gradient() -> None:
    """Catches perplexity computed from the smoothed loss, and a graph kept alive by a logged number."""
    logits, labels = example()
    smoothed = cross_entropy(logits.requires_grad_(), labels, PAD, smoothing=0.4)
    assert smoothed.nll.equal(cross_entropy(logits, labels, PAD).nll)
    assert smoothed.total.requires_grad
    assert not smoothed.nll.requires_grad


def test_batches_add_up() -> None:
    """Catches means instead of sums."""
    logits, labels = example()
    whole = cross_entropy(logits, labels, PAD, 0.1)
    parts = [cross_entropy(logits[i : i + 1], labels[i : i + 1], PAD, 0.1) for i in range(3)]
    torch.testing.assert_close(whole.total, torch.stack([part.total for part in parts]).sum())
    assert int(whole.count) == sum(int(part.count) for part in parts)


def test_gradient_is_right_and_finite_for_extreme_logits() -> None:
    logits, labels = example()
    assert torch.autograd.gradcheck(lambda x: cross_entropy(x, labels, PAD, 0.1).total, logits.requires_grad_())
    extreme = (logits.detach() * 1e6).requires_grad_()
    cross_entropy(extreme, labels, PAD, 0.1).total.backward()
    assert extreme.grad is not None
    assert extreme.grad.isfinite().all()


def test_half_precision_is_summed_in_single() -> None:
    """Catches sums in bfloat16, whose 8 bits cannot count past 256 in steps of one."""
    logits = torch.zeros(8, 100, 16, dtype=torch.bfloat16)
    loss = cross_entropy(logits, torch.ones(8, 100, dtype=torch.long), PAD, 0.1)
    assert loss.total.dtype is torch.float32
    assert float(loss.total) == pytest.approx(800 * math.log(16), rel=1e-5)


def test_a_batch_of_padding_costs_nothing() -> None:
    loss = cross_entropy(torch.randn(2, 3, 5), torch.full((2, 3), PAD), PAD, 0.1)
    assert (float(loss.total), float(loss.nll), int(loss.count)) == (0.0, 0.0, 0)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 10.0])
def test_refuses_a_smoothing_out_of_range(smoothing: float) -> None:
    with pytest.raises(UserError, match="label smoothing"):
        cross_entropy(*example(), PAD, smoothing)
