"""A model whose steps multiply in bfloat16: the products alone lose digits."""

from typing import Any

import pytest
import torch

from heed.models.product import multiplies_bfloat16
from heed.search.ensemble import Ensemble
from tests.models.examples import BOS, KINDS, sentences, small_model

LENGTHS = [5, 4, 2]


@pytest.mark.parametrize("changes", [{}, {"layer_norm": True, "dec_layers": 2}, {"query": "current"}])
@pytest.mark.parametrize("kind", KINDS)
def test_steps_stay_near_and_keep_the_digits_of_what_is_no_product(kind: str, changes: dict[str, Any]) -> None:
    """Catches types that do not go together, and states or attention weights rounded to eight bits."""
    exact, low = (small_model(score=kind, **changes) for _ in range(2))
    low.lower()
    src, src_len = sentences(LENGTHS)
    token = torch.full((len(src),), BOS)
    with torch.inference_mode():
        (state, memory), (low_state, low_memory) = exact.encode(src, src_len), low.encode(src, src_len)
        for _ in range(4):
            logits, state, weights = exact.step(token, state, memory)
            low_logits, low_state, low_weights = low.step(token, low_state, low_memory)
            token = logits.argmax(1)
            for found in (low_logits, *low_state, low_weights):
                assert found.dtype == torch.float32
            torch.testing.assert_close(low_weights.sum(1), torch.ones(len(src)), rtol=0, atol=1e-6)
            torch.testing.assert_close(low_weights, weights, rtol=0, atol=0.02)
            torch.testing.assert_close(low_logits, logits, rtol=0, atol=0.05 * float(logits.std()))
    assert not torch.equal(low_logits, logits)


def test_a_shared_embedding_keeps_its_digits() -> None:
    """With the output's matrix shared, words would be read in eight bits."""
    model = small_model(tie="all", tgt_vocab=20)
    before = model.decoder.embedding.weight.clone()
    Ensemble([model]).lower()
    assert model.decoder.output.weight.dtype == torch.bfloat16
    assert model.decoder.embedding.weight.equal(before)


def test_a_processor_says_what_it_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches emulated bfloat16, which is slower than float32 and less exact."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "avx2": True})
    assert not multiplies_bfloat16("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert multiplies_bfloat16("cpu")
