"""The fast loop gives the same values and gradients as single steps."""

import math
from statistics import mean
from typing import Any

import pytest
import torch
from torch import Tensor

from heed.models.attention import Additive, AttentionMemory
from heed.models.cell import Cell
from heed.models.decoder import Decoder
from heed.models.fast import recurrence
from heed.models.seq2seq import Seq2Seq
from tests.support.models import HEADS, KINDS, build_seq2seq, rounded

COVERED = ["additive", "coverage", "general", "dot", "scaled_dot"]
SRC_LEN = torch.tensor([5, 4, 1])
LARGER: dict[str, Any] = dict(emb_dim=32, enc_dim=32, hid_dim=32, readout_dim=32, attended_dim=32, att_dim=32)


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dropout": dict(dropout=0.3, readout_dropout=0.4, enc_dropout=0.2),
    "state dropout": dict(state_dropout=0.3),
    "variational": dict(dropout=0.3, state_dropout=0.3, variational=True),
    "layer norm": dict(layer_norm=True),
    "deep": dict(dec_layers=3, dropout=0.3),
    "previous": dict(query="previous", state_dropout=0.3),
    "all": dict(
        query="previous", dec_layers=2, enc_layers=2, layer_norm=True, dropout=0.3, state_dropout=0.3, variational=True
    ),
}


def small(score: str, **changes: Any) -> Seq2Seq:
    torch.manual_seed(7)
    sizes: dict[str, Any] = dict(emb_dim=6, enc_dim=8, hid_dim=8, readout_dim=6, attended_dim=5, att_dim=6, dropout=0.0)
    model = build_seq2seq(20, 12, score=score, **sizes | (HEADS if score == "multi_head" else {}) | changes).double()
    with torch.no_grad():  # with gains of one and shifts of zero, a missing factor would not show
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def sentences() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(4, 20, (3, 5), generator=generator), torch.randint(4, 12, (3, 4), generator=generator)


def outcome(
    model: Seq2Seq, stepping: bool, batch: tuple[Tensor, Tensor, Tensor] | None = None
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Logits and weights, and the gradients of a random projection of both."""
    src, tgt = sentences()
    src, src_len, tgt = batch or (src, SRC_LEN, tgt)
    model.zero_grad()
    torch.manual_seed(11)
    if stepping:
        model.decoder.unroll = model.decoder.step_through  # type: ignore[method-assign]
    outputs = list(model(src, src_len, tgt))
    if stepping:
        del model.decoder.unroll
    generator = torch.Generator().manual_seed(5)
    # torch may draw other numbers for another type (2.11 does for bfloat16), so they are drawn as float64, then rounded
    drawn = [torch.randn(output.shape, generator=generator, dtype=torch.float64) for output in outputs]
    projections = [one.to(output.dtype) for one, output in zip(drawn, outputs, strict=True)]
    torch.autograd.backward(outputs, projections)
    return outputs, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("score", COVERED)
def test_outputs_and_every_gradient_equal_stepping(score: str, variant: str) -> None:
    """Catches a wrong term, a missing mask, and dropout drawn in another order; source lengths differ on purpose."""
    model = small(score, **VARIANTS[variant])
    (logits, weights), gradients = outcome(model, stepping=False)
    (expected_logits, expected_weights), expected = outcome(model, stepping=True)
    torch.testing.assert_close(logits, expected_logits, rtol=0, atol=1e-12)
    torch.testing.assert_close(weights, expected_weights, rtol=0, atol=1e-12)
    assert gradients.keys() == expected.keys() == dict(model.named_parameters()).keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=0, atol=1e-10, msg=name)


@pytest.mark.parametrize("variant", ["plain", "all"])
@pytest.mark.parametrize("score", COVERED)
def test_gradcheck(score: str, variant: str) -> None:
    """Compares the derivatives with finite differences, which do not depend on autograd."""
    model = small(score, **VARIANTS[variant])
    decoder: Decoder = model.decoder
    src, tgt = sentences()
    emb = decoder.embed(tgt).detach().requires_grad_()
    with torch.no_grad():
        state, memory = model._encode(src, SRC_LEN)
    masks = decoder.draw_masks(state.hidden)

    def loop(emb: Tensor, hidden: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, ...]:
        sources = AttentionMemory(keys, values, memory.mask, memory.coverage)
        return decoder.unroll(emb, state._replace(hidden=hidden), sources, masks)

    hidden, keys, values = (part.clone().requires_grad_() for part in (state.hidden, memory.keys, memory.values))
    assert torch.autograd.gradcheck(loop, (emb, hidden, keys, values), fast_mode=True)


@pytest.mark.parametrize("used", [0, 1, 2])
def test_a_loss_on_one_output_alone(used: int) -> None:
    """Catches gradients of unused outputs taken for tensors: they are None."""
    model = small("additive")
    src, tgt = sentences()
    gradients = []
    for unroll in (model.decoder.unroll, model.decoder.step_through):
        model.zero_grad()
        state, memory = model.encode(src, SRC_LEN)
        unroll(model.decoder.embed(tgt), state, memory)[used].square().sum().backward()
        gradients.append(model.encoder.gru.weight_ih_l0.grad)
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


def covered(decoder: Decoder) -> bool:
    return recurrence.covers(decoder.attention, decoder.cells)


def test_covers_what_it_computes_and_no_more() -> None:
    """Catches a score that the fast loop does not implement, such as the article's, but is run by it."""
    for score in COVERED:
        assert covered(small(score).decoder)
    for score in set(KINDS) - set(COVERED):
        assert not covered(small(score, **HEADS).decoder)


def test_continuing_from_a_state_in_the_middle() -> None:
    """Catches ignored coverage of earlier steps, which would make the model translate covered words again."""
    model = small("coverage")
    src, tgt = sentences()
    state, memory = model.encode(src, SRC_LEN)
    emb = model.decoder.embed(tgt)
    state, _ = model.decoder.advance(emb[:, 0], state, memory)
    fast, stepped = (loop(emb[:, 1:], state, memory) for loop in (model.decoder.unroll, model.decoder.step_through))
    for one, other in zip(fast, stepped, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_a_score_derived_from_a_covered_one_is_stepped() -> None:
    """Catches a subclass taken for its parent: it would be trained with its parent's equation."""

    class Other(Additive):
        pass

    model = small("additive")
    model.decoder.attention.attn = Other(8, 8, att_dim=6)
    assert not covered(model.decoder)


class Slow(Cell):
    """A cell with an equation of its own: it goes only half of the way to the next state."""

    def forward(self, inputs: Tensor, state: Tensor, masked_state: Tensor | None = None) -> Tensor:  # type: ignore[override]
        return (super().forward(inputs, state, masked_state) + state) / 2


@pytest.mark.parametrize("layer", [0, 1])
def test_a_foreign_cell_is_stepped(layer: int) -> None:
    """Catches a foreign cell taken for heed's own, in any layer: training and search would use different equations."""
    model, (src, tgt) = small("additive", dec_layers=2), sentences()
    known = model.decoder.cells[layer]
    assert isinstance(known, Cell)
    foreign = Slow(known.input_size, known.hidden_size).double()
    foreign.load_state_dict(known.state_dict())
    before = model(src, SRC_LEN, tgt)[0]
    model.decoder.cells[layer] = foreign
    assert not covered(model.decoder)
    logits, _ = model(src, SRC_LEN, tgt)
    assert not torch.allclose(logits, before)
    state, memory = model.encode(src, SRC_LEN)
    for position in range(tgt.size(1)):
        stepped, state, _ = model.step(tgt[:, position], state, memory)
        torch.testing.assert_close(logits[:, position], stepped, rtol=0, atol=1e-12)


@pytest.mark.parametrize("teacher_forcing", [1.0, 0.5])
@pytest.mark.parametrize("score", KINDS)
def test_bfloat16_does_not_round_states_and_weights(score: str, teacher_forcing: float) -> None:
    """Catches autocast that rounds a softmax or a state, in the fast loop or in steps: weights would sum to 0.999."""
    model = small(score).float()
    src, tgt = sentences()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        weights = model(src, SRC_LEN, tgt, teacher_forcing)[1]
        state, memory = model.encode(src, SRC_LEN)
        top, _, _ = model.decoder.unroll(model.decoder.embed(tgt), state, memory)
    torch.testing.assert_close(weights.sum(2), torch.ones(weights.shape[:2]), rtol=0, atol=1e-6)
    assert not rounded(weights)
    assert not rounded(top)


@pytest.mark.parametrize("score", ["additive", "dot"])
def test_bfloat16_adds_up_gradients_in_one_product(score: str) -> None:
    """Catches gradients of weights that are added up step by step in bfloat16, as autograd does.

    Rounding to bfloat16 changes a number by 0.42 u relative to itself (root mean square), where u is half of the
    epsilon of bfloat16: by u / sqrt(3) at 1, and by less towards 2. A sum of n equal terms that is rounded after each
    term has partial sums of 1 / n, 2 / n, ... of the result. So its error is 0.42 u sqrt(n / 3), or u sqrt(n) / 4, and
    more if the terms have different directions. One product of all steps has no such error. Only its operands and its
    result are rounded, however many steps there are.
    """
    model, steps = small(score, **LARGER).float(), 120
    generator = torch.Generator().manual_seed(3)
    src, tgt = torch.randint(4, 20, (8, 30), generator=generator), torch.randint(4, 12, (8, steps), generator=generator)
    batch = src, torch.full((8,), 30), tgt
    _, exact = outcome(model, stepping=False, batch=batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, fast = outcome(model, stepping=False, batch=batch)
        _, stepped = outcome(model, stepping=True, batch=batch)
    lost, by_steps = ({n: float((g[n] - exact[n]).norm() / exact[n].norm()) for n in exact} for g in (fast, stepped))
    assert 0 < sum(lost.values()) < sum(by_steps.values())
    of_sums = torch.finfo(torch.bfloat16).eps / 2 * math.sqrt(steps) / 4
    cells = [name for name in exact if "cells" in name]
    assert mean(by_steps[name] for name in cells) > of_sums
    assert max(lost[name] for name in cells) < of_sums


def test_the_fast_loop_is_used_only_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches training by single steps, which is slower by half, and evaluation that stores values for gradients."""
    model, (src, tgt) = small("additive"), sentences()
    runs = []

    def counted(*args: Any) -> recurrence.Unrolled:
        runs.append(args)
        return unroll(*args)

    unroll = recurrence.unroll
    monkeypatch.setattr(recurrence, "unroll", counted)
    model(src, SRC_LEN, tgt)
    assert len(runs) == 1
    with torch.no_grad():
        model(src, SRC_LEN, tgt)
    assert len(runs) == 1
