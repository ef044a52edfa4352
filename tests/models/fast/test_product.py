"""A model whose steps multiply in bfloat16: only products lose precision."""

from typing import Any

import pytest
import torch

from heed.models.fast.product import multiplies_bfloat16, multiply_in_bfloat16
from heed.search.ensemble import Ensemble
from tests.support.models import BOS, KINDS, rounded, sentences, small_model

LENGTHS = [5, 4, 2]
STEP = {"decoder.output", "decoder.readout", "decoder.attention.attn_combine", "decoder.cells.0", "decoder.cells.1"}


@pytest.mark.parametrize(
    "changes", [{}, {"layer_norm": True, "dec_layers": 2}, {"query": "previous"}, {"query": "conditional"}]
)
@pytest.mark.parametrize("kind", KINDS)
def test_only_products_of_a_step_lose_precision(kind: str, changes: dict[str, Any]) -> None:
    """Catches tensors of incompatible types, and states or attention weights rounded to the eight bits of bfloat16."""
    exact, low = (small_model(score=kind, **changes) for _ in range(2))
    multiply_in_bfloat16(low)
    src, src_len = sentences(LENGTHS)
    token = torch.full((len(src),), BOS)
    with torch.inference_mode():
        (state, memory), (low_state, low_memory) = exact.encode(src, src_len), low.encode(src, src_len)
        for _ in range(4):
            logits, state, weights = exact.step(token, state, memory)
            low_logits, low_state, low_weights = low.step(token, low_state, low_memory)
            token = logits.argmax(1)
            assert not rounded(low_state.hidden)
            assert not rounded(low_weights)
            assert rounded(low_logits)
            torch.testing.assert_close(low_weights.sum(1), torch.ones(len(src)), rtol=0, atol=1e-6)
            torch.testing.assert_close(low_weights, weights, rtol=0, atol=0.02)
            torch.testing.assert_close(low_logits, logits, rtol=0, atol=0.05 * float(logits.std()))


def test_which_layers_multiply_in_bfloat16() -> None:
    """Catches a layer left in float32, which costs time, and a layer that must stay float32, such as an embedding."""
    model = small_model(dec_layers=2, layer_norm=True, tie="all", tgt_vocab=20)
    before = model.decoder.embedding.weight.clone()
    multiply_in_bfloat16(Ensemble([model]))
    low = {name.rpartition(".")[0] for name, one in model.named_parameters() if one.dtype is torch.bfloat16}
    assert low == STEP | {"decoder.attention.attn.query"}
    assert model.decoder.embedding.weight.equal(before)


def test_both_cells_of_a_conditional_gru_multiply_in_bfloat16() -> None:
    """Catches a second cell that stays in float32."""
    model = small_model(query="conditional")
    multiply_in_bfloat16(model)
    low = {name.rpartition(".")[0] for name, one in model.named_parameters() if one.dtype is torch.bfloat16}
    assert low == STEP - {"decoder.cells.1"} | {"decoder.second_cell", "decoder.attention.attn.query"}


def test_a_whole_sentence_runs_too() -> None:
    """Catches errors in a deep decoder's upper layers, which run whole sentences with other code than single steps."""
    model = small_model(dec_layers=2)
    multiply_in_bfloat16(model)
    src, src_len = sentences(LENGTHS)
    with torch.inference_mode():
        state, memory = model.encode(src, src_len)
        token = torch.full((len(src), 1), BOS)
        stepped = model.step(token[:, 0], state, memory)[0]
        whole = model(src, src_len, token)[0][:, 0]
    torch.testing.assert_close(whole, stepped, rtol=0, atol=0.05 * float(stepped.std()))


def test_bfloat16_is_used_only_if_the_device_multiplies_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches emulated bfloat16, which is slower and less exact than float32, and a CPU asked about another device."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "avx2": True})
    assert not multiplies_bfloat16("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert multiplies_bfloat16("cpu")
    assert not multiplies_bfloat16("mps")
