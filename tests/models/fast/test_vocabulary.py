"""The loss with its own gradients, compared with autograd through all logits; R-Drop's loss also by hand."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from heed.metrics.loss import Loss, cross_entropy
from heed.models.fast import vocabulary
from heed.models.fast.vocabulary import LossSums, vocabulary_loss

PAD = 0
ALPHAS = pytest.mark.parametrize("r_drop", [0.0, 3.0])


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products of five rows of an example, of which two are normalised together; the last round is shorter."""
    monkeypatch.setitem(vocabulary.BYTES, "cpu", (5 * 7 * 8, 2 * 7 * 8))
    monkeypatch.setattr(vocabulary, "LEAST", 1)


def example(batch: int = 3, tgt: int = 4, vocab: int = 7) -> tuple[list[Tensor], Tensor]:
    """Readouts whose two halves have the same labels but different values, weight and bias, and the labels."""
    generator = torch.Generator().manual_seed(1)
    shapes = (2 * batch, tgt, 5), (vocab, 5), (vocab,)
    labels = torch.randint(1, vocab, (batch, tgt), generator=generator)
    labels[0, 3:] = labels[1, 1:] = PAD
    return [torch.randn(shape, generator=generator).double().requires_grad_() for shape in shapes], labels.repeat(2, 1)


def by_autograd(logits: Tensor, labels: Tensor, smoothing: float, r_drop: float) -> tuple[Loss, Tensor]:
    """The same loss from torch's own functions, with all logits at once."""
    if not r_drop:
        return cross_entropy(logits, labels, PAD, smoothing), torch.zeros(())
    labels = labels[: len(labels) // 2]
    parts = [cross_entropy(half, labels, PAD, smoothing) for half in logits.chunk(2)]
    one, other = (functional.log_softmax(half, dim=-1)[labels != PAD] for half in logits.chunk(2))
    both = [functional.kl_div(a, b, reduction="sum", log_target=True) for a, b in ((one, other), (other, one))]
    total, nll = ((getattr(parts[0], name) + getattr(parts[1], name)) / 2 for name in ("total", "nll"))
    return Loss(total, nll, parts[0].count), r_drop / 2 * (both[0] + both[1]) / 2


def of_logits(logits: Tensor, labels: Tensor, smoothing: float = 0.0, r_drop: float = 0.0) -> tuple[LossSums, Tensor]:
    """The loss of given logits: the output layer returns its input unchanged."""
    vocab = logits.size(-1)
    return vocabulary_loss(logits, torch.eye(vocab).to(logits), logits.new_zeros(vocab), labels, PAD, smoothing, r_drop)


@ALPHAS
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_values_and_gradients_are_those_of_all_logits_at_once(smoothing: float, r_drop: float) -> None:
    """Catches rows that are left out or counted twice, counted padding, a wrong factor, and exchanged halves."""
    (readout, weight, bias), labels = example()
    expected, apart = by_autograd(readout @ weight.t() + bias, labels, smoothing, r_drop)
    by_hand = torch.autograd.grad(expected.total + apart, (readout, weight, bias))
    loss, divergence = vocabulary_loss(readout, weight, bias, labels, PAD, smoothing, r_drop)
    for one, other in zip((*loss, divergence), (*expected, apart), strict=True):
        torch.testing.assert_close(one, other, check_dtype=False)
    gradients = torch.autograd.grad(loss.total + divergence, (readout, weight, bias))
    for found, gradient in zip(gradients, by_hand, strict=True):
        torch.testing.assert_close(found, gradient)


@ALPHAS
def test_gradcheck(r_drop: float) -> None:
    """Compares with finite differences: the test above misses a derivative that is wrong in the same way in both."""
    parts, labels = example()

    def both(readout: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        loss, divergence = vocabulary_loss(readout, weight, bias, labels, PAD, 0.1, r_drop)
        return loss.total + divergence

    assert torch.autograd.gradcheck(both, parts)


def test_r_drop_by_hand() -> None:
    """For p = (3/4, 1/4) and q = (1/2, 1/2): catches one direction alone, a sum as mean, and base-2 logarithms."""
    logits = torch.tensor([[[0.75, 0.25]], [[0.5, 0.5]]], dtype=torch.float64).log()
    loss, divergence = of_logits(logits, torch.tensor([[1], [1]]), r_drop=2.0)
    forth = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    back = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert float(divergence) == pytest.approx((forth + back) / 2)
    assert float(loss.total) == pytest.approx((math.log(4) + math.log(2)) / 2)
    assert int(loss.count) == 1


def test_equal_halves_are_one_plain_batch() -> None:
    """Catches a loss that is counted twice, and a gradient that pulls equal predictions apart."""
    (readout, weight, bias), labels = example()
    half = (readout[:3] @ weight.t() + bias).detach()
    doubled, plain = half.repeat(2, 1, 1).requires_grad_(), half.clone().requires_grad_()
    loss, divergence = of_logits(doubled, labels, 0.1, r_drop=5.0)
    assert float(divergence) == 0.0
    loss.total.backward()
    cross_entropy(plain, labels[:3], PAD, 0.1).total.backward()
    assert doubled.grad is not None
    torch.testing.assert_close(doubled.grad[:3] + doubled.grad[3:], plain.grad)


@ALPHAS
def test_padding_changes_nothing(r_drop: float) -> None:
    """Catches padding that reaches the sums or the gradient, even with absurd logits."""
    (readout, weight, bias), labels = example()
    logits = (readout @ weight.t() + bias).detach()
    more = torch.cat((logits, torch.full((6, 2, 7), 1e30, dtype=torch.float64)), dim=1).requires_grad_()
    logits.requires_grad_()
    plain = of_logits(logits, labels, 0.1, r_drop)[0].total
    padded = of_logits(more, functional.pad(labels, (0, 2), value=PAD), 0.1, r_drop)[0].total
    assert plain.equal(padded)
    by_plain, by_padded = torch.autograd.grad(plain, logits)[0], torch.autograd.grad(padded, more)[0]
    assert by_padded[:, :4].equal(by_plain)
    assert not by_plain[labels == PAD].any()


@ALPHAS
def test_a_batch_of_padding_costs_nothing(r_drop: float) -> None:
    logits = torch.randn(4, 3, 5).requires_grad_()
    loss, divergence = of_logits(logits, torch.full((4, 3), PAD), 0.1, r_drop)
    assert (float(loss.total.detach()), int(loss.count), float(divergence)) == (0.0, 0, 0.0)
    loss.total.backward()
    assert logits.grad is not None
    assert not logits.grad.any()


def test_the_loss_of_an_impossible_label_is_finite() -> None:
    """Catches a loss computed from the label's probability, which is rounded to zero: the loss would be infinite."""
    logits = torch.zeros(1, 1, 4)
    logits[..., 2] = 1000.0
    loss, _ = of_logits(logits, torch.tensor([[1]]), 0.1)
    assert float(loss.nll) == 1000.0
    assert float(loss.total) == pytest.approx(0.9 * 1000 + 0.1 * 750)


@ALPHAS
def test_only_products_are_computed_in_bfloat16(r_drop: float) -> None:
    """Catches a softmax, or a sum over labels, in bfloat16: all that follows the logits must be in float32."""
    parts, labels = example(batch=40)
    readout, weight, bias = [part.detach().float().requires_grad_() for part in parts]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, divergence = vocabulary_loss(readout, weight, bias, labels, PAD, 0.1, r_drop)
        logits = functional.linear(readout, weight, bias).float().detach().requires_grad_()
    expected, apart = by_autograd(logits, labels, 0.1, r_drop)
    torch.testing.assert_close(loss.total, expected.total)
    torch.testing.assert_close(divergence, apart, check_dtype=False)
    into_logits = torch.autograd.grad(expected.total + apart, logits)[0]
    found = torch.autograd.grad(loss.total + divergence, (readout, weight, bias))
    torch.testing.assert_close(found[2], into_logits.sum((0, 1)))
    with torch.no_grad():
        into_readout = into_logits @ weight
        into_weight = into_logits.flatten(0, 1).t() @ readout.flatten(0, 1)
    for gradient, exact in zip(found[:2], (into_readout, into_weight), strict=True):
        assert float((gradient - exact).norm()) < 0.005 * float(exact.norm())


@pytest.mark.parametrize(("dtype", "sizes"), [(torch.bfloat16, {5, 7, 64}), (torch.float32, {5, 7, 11})])
def test_products_in_bfloat16_have_a_round_number_of_rows(
    dtype: torch.dtype, sizes: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a shape for every number of labels: oneDNN compiles each of them and keeps the code."""
    monkeypatch.undo()
    (readout, weight, bias), _ = example(batch=11, tgt=1)
    labels = torch.ones(11, 1, dtype=torch.long)
    with (
        torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16),
        torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as profile,
    ):
        vocabulary_loss(readout[:11].float(), weight.float(), bias.float(), labels, PAD)
    products = [event for event in profile.events() if event.name in ("aten::mm", "aten::addmm", "aten::addmm_")]
    assert {size for event in products for shape in event.input_shapes for size in shape} == sizes
    assert len(products) == 3


def test_a_large_vocabulary_does_not_make_products_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a product for each label, which reads the whole output layer each time."""
    monkeypatch.setattr(vocabulary, "LEAST", 512)
    (readout, weight, bias), labels = example(batch=60)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        vocabulary_loss(readout, weight, bias, labels, PAD)
    assert sum(event.name == "aten::addmm" for event in profile.events()) == 1


def test_a_smoothing_above_one_is_refused() -> None:
    with pytest.raises(ValueError, match="label smoothing is 1"):
        of_logits(torch.zeros(1, 1, 4), torch.tensor([[1]]), 1.5)
