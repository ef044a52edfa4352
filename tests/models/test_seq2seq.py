from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import nn

from heed.models.seq2seq import initialise
from tests.support.models import KINDS, PAD, SIZES, build_seq2seq, sentences, small_model, targets

LENGTHS = [5, 3, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_sentences_never_affect_each_other(kind: str) -> None:
    """Catches results of a sentence that depend on its batch: on padding, order or other sentences."""
    model = small_model(score=kind).double()
    src, src_len = sentences(LENGTHS, width=7)
    tgt = targets(3, 4)
    logits, weights = model(src, src_len, tgt)
    for i, length in enumerate(LENGTHS):
        alone, alone_weights = model(src[i : i + 1, :length], src_len[i : i + 1], tgt[i : i + 1])
        torch.testing.assert_close(logits[i : i + 1], alone, rtol=0, atol=1e-10)
        torch.testing.assert_close(weights[i : i + 1, :, :length], alone_weights, rtol=0, atol=1e-10)
        assert (weights[i, :, length:] == 0).all()


@pytest.mark.parametrize("query", ["previous", "current", "conditional"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_end_of_the_source_can_be_left_out(kind: str, query: str) -> None:
    """Catches weight on the end, in search or training, an end that the encoder skips, and NaN for an empty source."""
    model = small_model(score=kind, query=query, attend_end=False, sharp=2.0).double()
    src, src_len = sentences(LENGTHS, width=7)
    tgt = targets(3, 4)
    for training in (False, True):
        with torch.set_grad_enabled(training):
            _, weights = model(src, src_len, tgt)
        for row, words in zip(weights, (4, 2, 1), strict=True):  # the third source consists of its end alone
            assert (row[:, :words] > 0).all()
            assert (row[:, words:] == 0).all()
        torch.testing.assert_close(weights.sum(2), torch.ones(3, 4).double())

    changed = src.clone()
    changed[0, 4] = 7  # another end changes the logits, because the encoder reads it
    assert ((model(changed, src_len, tgt)[0] - model(src, src_len, tgt)[0]).abs().amax((1, 2)) > 1e-9).tolist() == [
        True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_translating_reads_the_source(kind: str) -> None:
    """Catches a source word that has no effect on the first target word, for every score."""
    model = small_model(score=kind, sharp=2.0).double()
    src, src_len = sentences([5])
    state, memory = model.encode(src, src_len)
    logits, _, _ = model.step(torch.tensor([2]), state, memory)
    for position in range(5):
        changed = src.clone()
        changed[0, position] = 4 + (src[0, position] - 3) % 16
        state, memory = model.encode(changed, src_len)
        assert ((model.step(torch.tensor([2]), state, memory)[0] - logits).abs() > 1e-9).any()


def test_an_article_model_translates_longer_sources() -> None:
    """More words than positions: the last words get no weight, but there is no error."""
    model = small_model(score="article", positions=4)
    src, src_len = sentences([7, 3])
    with pytest.warns(UserWarning, match="the source has 7 positions and attention only 4: positions 5 to 7 cannot"):
        logits, weights = model(src, src_len, targets(2, 3))
    assert logits.isfinite().all()
    assert (weights[:, :, 4:] == 0).all()
    torch.testing.assert_close(weights.sum(2), torch.ones(2, 3))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tie": "decoder"},
        {"tie": "all", "src_vocab": 12},
        {"enc_layers": 2, "dec_layers": 2, "bidirectional": False},
        {"query": "conditional", "layer_norm": True},
    ],
    ids=["plain", "decoder", "all", "deep", "conditional"],
)
def test_every_parameter_learns(kind: str, changes: dict[str, Any]) -> None:
    """Catches a part that is built but not used, or cut off by a detach: its gradient is None or zero."""
    model = small_model(score=kind, **changes).train()
    src, src_len = sentences(LENGTHS, vocab=12)
    model(src, src_len, targets(3, 5))[0].square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


class TestTies:
    @pytest.mark.parametrize("tie", ["none", "decoder", "all"])
    def test_tied_matrices_are_one(self, tie: str) -> None:
        """Catches a copy, which would be equal at first and differ after training."""
        model = small_model(src_vocab=12, tie=tie)
        source, target = model.encoder.embedding.weight, model.decoder.embedding.weight
        assert (target is model.decoder.output.weight) == (tie != "none")
        assert (source is target) == (tie == "all")
        shared = {"none": 0, "decoder": 1, "all": 2}[tie]
        assert (
            sum(p.numel() for p in model.parameters())
            == sum(p.numel() for p in small_model(src_vocab=12).parameters()) - shared * 12 * 6
        )

    def test_gradients_come_from_every_use(self) -> None:
        """Only the encoder reads word 4, only the decoder 5, neither 6; the output layer scores them all."""
        src, tgt = torch.tensor([[4, 4, 4]]), torch.tensor([[5, 5]])
        found = {}
        for tie in ("all", "none"):
            model = small_model(src_vocab=12, tie=tie)
            with torch.no_grad():  # the same numbers, tied or not
                for parameter in model.parameters():
                    parameter.copy_(torch.sin(torch.arange(parameter.numel()).view_as(parameter)))
            model(src, torch.tensor([3]), tgt)[0].square().sum().backward()
            found[tie] = [
                part.weight.grad for part in (model.encoder.embedding, model.decoder.embedding, model.decoder.output)
            ]
        assert all(gradient is not None for gradients in found.values() for gradient in gradients)
        total = torch.stack([gradient for gradient in found["none"] if gradient is not None]).sum(0)
        assert found["all"][0] is not None
        torch.testing.assert_close(found["all"][0], total)
        assert (total[[4, 5, 6]].abs().amax(dim=1) > 0).all()


class TestBeginning:
    def test_recurrent_matrices_are_orthogonal_and_biases_zero(self) -> None:
        """Catches one orthogonal matrix over all three gates, which has another distribution than one for each gate."""
        model = small_model(dec_layers=2)
        found = 0
        for name, parameter in model.named_parameters():
            if "weight_hh" in name:
                for gate in parameter.chunk(3):
                    torch.testing.assert_close(gate @ gate.T, torch.eye(len(gate)), rtol=0, atol=1e-5)
                    found += 1
            elif "bias" in name:
                assert (parameter == 0).all(), name
        assert found == 12

    @pytest.mark.parametrize("tie", ["none", "decoder", "all"])
    def test_embeddings_have_their_deviation_and_padding_none(self, tie: str) -> None:
        """Catches a tied matrix that is initialised as an output layer: its embeddings would have the wrong scale."""
        sizes = SIZES | dict(src_vocab=2000, tgt_vocab=2000, emb_dim=16, readout_dim=16, tie=tie)
        model = build_seq2seq(**sizes)
        for embedding in (model.encoder.embedding, model.decoder.embedding):
            assert (embedding.weight[PAD] == 0).all()
            assert float(embedding.weight.detach().std()) == pytest.approx(16**-0.5, rel=0.03)
            assert float(embedding(torch.arange(1, 2000)).detach().std()) == pytest.approx(1, rel=0.03)  # as read

    def test_a_score_from_outside_keeps_the_values_of_its_own_parameters(self) -> None:
        """Catches parameters set to 0 like a bias: a width would ignore its setting, and a kernel would stay 0."""
        model = small_model()
        score, kernel, scale = nn.Module(), nn.Conv1d(2, 3, 5), nn.LayerNorm(4)
        width, heads = nn.Parameter(torch.tensor(3.0)), nn.Parameter(torch.full((5,), 2.0))
        score.kernel, score.scale, score.width, score.embedding_of_heads = kernel, scale, width, heads
        model.decoder.attention.attn = score  # type: ignore[assignment]
        before = kernel.weight.detach().clone()
        initialise(model, PAD)
        assert torch.equal(kernel.weight, before)
        assert (width == 3).all()
        assert (heads == 2).all()
        assert (scale.weight == 1).all()

    def test_a_seed_decides(self) -> None:
        one, same, other = (small_model(seed) for seed in (1, 1, 2))
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
        assert not torch.equal(one.decoder.output.weight, other.decoder.output.weight)


LOW: list[dict[str, Any]] = [
    {},
    {"layer_norm": True},
    {"query": "previous", "dec_layers": 2},
    {"query": "conditional"},
    {"tie": "decoder"},
]


@pytest.mark.parametrize("changes", LOW)
@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_stays_near_and_masks_exactly(kind: str, changes: dict[str, Any]) -> None:
    """Catches, under autocast, incompatible types and a mask that leaves small weights on padding."""
    model = small_model(sharp=1.0 if changes.get("layer_norm") else 2.0, score=kind, **changes)
    src, src_len = sentences(LENGTHS)
    tgt = targets(3, 5)
    logits, weights = model(src, src_len, tgt)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low_logits, low_weights = model(src, src_len, tgt)
        sampled_logits, _ = model(src, src_len, tgt, teacher_forcing=1.0 - 1e-12)
    # sixteen roundings to bfloat16; around zero a sigmoid has half the digits of a tanh
    near = 16 * 2**-8 * float(logits.detach().std())
    torch.testing.assert_close(low_logits.float(), logits, rtol=0, atol=near)
    torch.testing.assert_close(sampled_logits.float(), logits, rtol=0, atol=near)
    torch.testing.assert_close(low_weights.float(), weights, rtol=0, atol=0.02)
    assert (low_weights[1, :, 3:] == 0).all()
    low_logits.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_dropped_states_train_in_bfloat16(kind: str) -> None:
    """Catches gates that combine a product in bfloat16 with a state in float32, which torch refuses."""
    model = small_model(score=kind, state_dropout=0.5).train()
    src, src_len = sentences(LENGTHS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for teacher_forcing in (1.0, 0.5):
            logits, _ = model(src, src_len, targets(3, 5), teacher_forcing)
            logits.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


DROPS: list[dict[str, Any]] = [
    {"dropout": 0.5, "readout_dropout": 0.0},
    {"readout_dropout": 0.5},
    {"enc_dropout": 0.5},
    {"state_dropout": 0.5},
]


@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("drops", DROPS, ids=lambda drops: next(iter(drops)))
def test_dropout_ends_with_training(drops: dict[str, Any], variational: bool) -> None:
    """Catches a kind of dropout that has no effect in training, is drawn only once, or stays on afterwards."""
    model = small_model(**({"dropout": 0.0} | drops), variational=variational, enc_layers=2, dec_layers=2)
    plain = small_model(dropout=0.0, enc_layers=2, dec_layers=2)
    src, src_len = sentences(LENGTHS)
    tgt = targets(3, 5)
    torch.testing.assert_close(model(src, src_len, tgt)[0], plain(src, src_len, tgt)[0])
    model.train()
    assert not torch.equal(model(src, src_len, tgt)[0], model(src, src_len, tgt)[0])


@pytest.mark.parametrize("where", ["inputs", "readout", "encoded"])
def test_variational_dropout_drops_the_same_values_at_every_position(where: str) -> None:
    """Catches masks that are drawn again for every word, which would be ordinary dropout."""
    shares: dict[str, Any] = {"dropout": 0.0, "readout_dropout": 0.0}
    shares[{"inputs": "dropout", "readout": "readout_dropout", "encoded": "enc_dropout"}[where]] = 0.5
    model = small_model(**shares, variational=True, hid_dim=32, enc_dim=32, emb_dim=32, readout_dim=32)
    model.train()
    tgt = targets(3, 5)
    if where == "encoded":
        parts = model.encoder(*sentences([6, 6, 6])).states
    elif where == "inputs":
        parts = model.decoder.embed(tgt, model.decoder.draw_masks(torch.zeros(3, 1, 32)))
    else:
        parts = model.read(*sentences([6, 6, 6]), tgt).readout
    dropped = parts == 0
    assert (dropped == dropped[:, :1]).all()
    assert 0.3 < dropped.float().mean() < 0.7
    assert (dropped[0, 0] != dropped[1, 0]).any()


def test_layer_normalisation_changes_the_model_and_starts_neutral() -> None:
    """Catches gains initialised to zero like other vectors: they would cut every gate off from its input."""
    model = small_model(layer_norm=True)
    norms = [module for module in model.modules() if isinstance(module, nn.LayerNorm)]
    assert len(norms) == 2 * 2 + 2
    assert all((norm.weight == 1).all() and (norm.bias == 0).all() for norm in norms)
    plain, tgt = small_model(), targets(3, 5)
    src = sentences(LENGTHS)
    assert not torch.allclose(model(*src, tgt)[0], plain(*src, tgt)[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "changes",
    [
        {"dropout": 0.3, "query": "previous"},
        {"enc_layers": 2, "dec_layers": 2, "layer_norm": True},
        {"variational": True, "state_dropout": 0.2, "enc_dropout": 0.1, "dropout": 0.3},
        {"query": "conditional", "state_dropout": 0.2},
    ],
    ids=str,
)
def test_the_loops_stay_on_the_device_and_never_wait_for_it(
    kind: str, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches, without a GPU, tensors that are created on the CPU, and a step that waits for a result.

    Tensors of the device `meta` have shapes but no content; autocast does not support it.
    """
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _: False)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    model = small_model(score=kind, **changes).to("meta").train()
    src, src_len = (tensor.to("meta") for tensor in sentences(LENGTHS))
    readout, weights = model.read(src, src_len, targets(3, 4).to("meta"))
    assert (readout.shape, weights.shape) == ((3, 4, SIZES["readout_dim"]), (3, 4, 5))
    (readout.sum() + weights.sum()).backward()
    read = {name: weight.grad for name, weight in model.named_parameters() if not name.startswith("decoder.output")}
    assert {grad.device.type for grad in read.values() if grad is not None} == {"meta"}
    assert [name for name, grad in read.items() if grad is None] == []
