"""A score from outside the package, with its own parameter and setting, can do everything that heed's scores can."""

from pathlib import Path
from typing import Any

import pytest
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from heed import bundle
from heed.architecture import Architecture, build
from heed.models.attention import AttentionMemory, register_score
from heed.models.fast import recurrence
from heed.models.seq2seq import Seq2Seq
from heed.search.beam import beam
from heed.text.subwords import Subwords
from tests.support.models import BOS, EOS, sentences, targets

LENGTHS = [6, 4, 1]


@register_score("test_cosine")
class Cosine(nn.Module):
    """e_j = g cos(W s, h_j): the similarity of the directions times a learned gain that starts at `sharpness`."""

    def __init__(self, query_size: int, key_size: int, *, sharpness: float) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, key_size, bias=False)
        self.gain = nn.Parameter(torch.zeros(1, 1))
        self.sharpness = sharpness

    def project(
        self, keys: Float[Tensor, "batch src key"], mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch src key"]:
        return nn.functional.normalize(keys, dim=2)

    def forward(self, query: Float[Tensor, "batch query"], memory: AttentionMemory) -> Float[Tensor, "batch src"]:
        direction = nn.functional.normalize(self.query(query), dim=1)
        return (self.sharpness + self.gain) * torch.bmm(memory.keys, direction.unsqueeze(2)).squeeze(2)


def described(**changes: Any) -> Architecture:
    sizes: dict[str, Any] = dict(emb_dim=6, enc_dim=8, hid_dim=10, readout_dim=6, attended_dim=5, dropout=0.0)
    return Architecture(**sizes | changes, attention={"score": "test_cosine", "sharpness": 2.0})


def built(**changes: Any) -> Seq2Seq:
    torch.manual_seed(3)
    return build(described(**changes), 20, 12)


@pytest.mark.parametrize("changes", [{}, {"query": "previous", "dec_layers": 2, "layer_norm": True}])
def test_stepping_equals_the_whole_sentence(changes: dict[str, Any]) -> None:
    """Catches the fast loop being used for a score that it does not implement."""
    model = built(**changes).double()
    assert not recurrence.covers(model.decoder.attention, model.decoder.cells)
    (src, src_len), tgt = sentences(LENGTHS), targets(3, 5)
    logits, weights = model(src, src_len, tgt)
    state, memory = model.encode(src, src_len)
    for position in range(5):
        step_logits, state, step_weights = model.step(tgt[:, position], state, memory)
        torch.testing.assert_close(logits[:, position], step_logits, rtol=0, atol=1e-12)
        torch.testing.assert_close(weights[:, position], step_weights, rtol=0, atol=1e-12)


def test_padding_changes_nothing() -> None:
    """Catches a mask that only heed's own scores apply."""
    model = built().double()
    tgt = targets(3, 5)
    (src, src_len), (wider, _) = sentences(LENGTHS), sentences(LENGTHS, width=9)
    logits, weights = model(src, src_len, tgt)
    wider_logits, wider_weights = model(wider, src_len, tgt)
    torch.testing.assert_close(wider_logits, logits, rtol=0, atol=1e-12)
    torch.testing.assert_close(wider_weights[:, :, :6], weights, rtol=0, atol=1e-12)
    assert (wider_weights[:, :, 6:] == 0).all()
    assert (weights[1, :, 4:] == 0).all()


@pytest.mark.parametrize("teacher_forcing", [1.0, 0.5])
@pytest.mark.parametrize("low", [False, True])
def test_it_trains(low: bool, teacher_forcing: float) -> None:
    """Catches a parameter of its own that gets no gradient, also under autocast and scheduled sampling."""
    model, tgt = built(), targets(3, 6)
    src, src_len = sentences(LENGTHS)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            logits, _ = model(src, src_len, tgt[:, :-1], teacher_forcing)
        loss = nn.functional.cross_entropy(logits.float().flatten(0, 1), tgt[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.1
    for name in ("decoder.attention.attn.gain", "decoder.attention.attn.query.weight"):
        assert not torch.equal(model.get_parameter(name), before[name])


def test_it_is_saved_loaded_and_searched(tmp_path: Path) -> None:
    """Catches a model folder whose score only the process that wrote it knows how to build."""
    src, tgt = (Subwords.train([text], kind="char", vocab_size=30) for text in ("a dog", "un chien"))
    model = build(described(), len(src), len(tgt)).eval()
    bundle.save(tmp_path / "model", model, described(), src, tgt, {})
    loaded = bundle.load(tmp_path / "model")
    assert loaded.architecture == described()
    batch = sentences([4, 3], vocab=len(src))
    assert isinstance(loaded.model, Seq2Seq)
    expected, hypotheses = (beam(one, *batch, BOS, EOS, max_len=5) for one in (model, loaded.model))
    assert [[one.ids for one in each] for each in hypotheses] == [[one.ids for one in each] for each in expected]


def test_a_setting_without_a_default_is_asked_for() -> None:
    """Catches Python's own message, which names a class instead of the setting."""
    with pytest.raises(ValueError, match=r"^attention.sharpness has no value, which the score 'test_cosine' needs$"):
        Architecture(attention={"score": "test_cosine"})
