"""Loops that are recorded and replayed give what they give when every operation is launched by itself.

What launches on a GPU cannot be recorded without one. Here the recording's place is taken by a function that computes
in the recording's memory, so that shapes, padding, copies and the budget are what is tested; the last test needs a GPU.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from heed.models import gru, recurrence, replay
from heed.models.replay import Recording, Replayed, padded, present
from heed.models.seq2seq import Seq2Seq, build_seq2seq

Given = tuple[Tensor | None, ...]

SHAPES = [(3, 5, 4), (2, 7, 6), (3, 9, 4), (3, 5, 4)]
"""Sentences, and words of source and target: two that are padded to one shape, another, and the first again."""

OPTIONS: dict[str, Any] = dict(layer_norm=True, dec_layers=2, enc_layers=2, dropout=0.3, state_dropout=0.3)


def record_on_cpu(function: Callable[..., Given], given: Given) -> Recording:
    inputs = tuple(None if tensor is None else tensor.clone() for tensor in given)
    outputs = function(*inputs)

    def again() -> None:
        torch._foreach_copy_(present(outputs), present(function(*inputs)))

    return Recording(again, inputs, outputs)


@pytest.fixture
def loops(monkeypatch: pytest.MonkeyPatch) -> list[Replayed]:
    """The four loops, with no recordings yet, as they would be on a GPU."""
    found = [module.__dict__[name] for module in (gru, recurrence) for name in ("_forward", "_backward")]
    for loop in found:
        monkeypatch.setattr(loop, "recordings", {})
        monkeypatch.setattr(loop, "held", 0)
    monkeypatch.setattr(replay, "record", record_on_cpu)
    monkeypatch.setattr(replay, "DEVICES", ("cpu",))
    return found


def model(score: str, **changes: Any) -> Seq2Seq:
    torch.manual_seed(7)
    sizes: dict[str, Any] = dict(emb_dim=6, enc_dim=8, hid_dim=8, readout_dim=6, attended_dim=5, att_dim=6)
    return build_seq2seq(20, 12, score=score, **sizes | changes).double()


def learned(model: Seq2Seq, shape: tuple[int, int, int], device: str = "cpu") -> list[Tensor]:
    """Logits, weights, and every parameter's gradient of two batches of this shape."""
    batch, src_len, tgt_len = shape
    generator = torch.Generator().manual_seed(batch + src_len)
    lengths = torch.arange(src_len, src_len - batch, -1)
    model.zero_grad()
    outputs = []
    for _ in range(2):  # both before the backward pass, where the second could overwrite what the first has kept
        src = torch.randint(4, 20, (batch, src_len), generator=generator)
        tgt = torch.randint(4, 12, (batch, tgt_len), generator=generator)
        torch.manual_seed(11)
        outputs += model(src.to(device), lengths.to(device), tgt.to(device))
    sum(output.square().sum() for output in outputs).backward()
    return [*outputs, *(parameter.grad for parameter in model.parameters() if parameter.grad is not None)]


@pytest.mark.parametrize("options", [{}, OPTIONS, OPTIONS | {"query": "current", "variational": True}])
@pytest.mark.parametrize("score", ["additive", "coverage", "general", "dot", "scaled_dot"])
def test_replayed_in_padded_shapes_equals_one_by_one(
    score: str, options: dict[str, Any], loops: list[Replayed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches padding that is attended to or learned from, and a replay that overwrites what an earlier one gave."""
    seq2seq = model(score, **options)
    replayed = [learned(seq2seq, shape) for shape in SHAPES]
    assert [len(loop.recordings) for loop in loops[2:]] == [2, 2]  # for the three shapes
    monkeypatch.setattr(replay, "DEVICES", ())
    for shape, found in zip(SHAPES, replayed, strict=True):
        for one, other in zip(found, learned(seq2seq, shape), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_spent_memory_ends_recording_and_nothing_else(loops: list[Replayed], monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a run over many lengths that fills a GPU with recordings."""
    monkeypatch.setattr(replay, "BUDGET", 1)
    seq2seq = model("additive")
    first, _, other, _ = (learned(seq2seq, shape) for shape in SHAPES)
    assert [len(loop.recordings) for loop in loops] == [1, 1, 1, 1]
    assert all(loop.held > 0 for loop in loops)
    monkeypatch.setattr(replay, "DEVICES", ())
    for shape, found in ((SHAPES[0], first), (SHAPES[2], other)):
        for one, plain in zip(found, learned(seq2seq, shape), strict=True):
            torch.testing.assert_close(one, plain, rtol=1e-10, atol=1e-12)


def test_types_have_recordings_of_their_own(loops: list[Replayed]) -> None:
    """Catches float32 numbers copied into a recording of bfloat16, their digits lost."""
    double = Replayed(lambda x: (2 * x,))
    for dtype in (torch.bfloat16, torch.float32, torch.bfloat16):
        assert double(torch.full((3,), 1.001, dtype=dtype))[0].dtype == dtype
    assert len(double.recordings) == 2


def test_nothing_is_padded_on_a_processor() -> None:
    """Catches work on a CPU that only a GPU has a use for."""
    tensor = torch.ones(3, 5)
    assert padded(tensor, 0, 1) is tensor


def test_padding_follows_the_dimensions_named(loops: list[Replayed]) -> None:
    """Catches another: torch counts them from the last one, two numbers each."""
    tensor = padded(torch.ones(3, 8, 5), 0, 2, value=7)
    assert tensor.shape == (8, 8, 8)
    assert (tensor[:3, :, :5] == 1).all()
    assert (tensor[3:] == 7).all()
    assert (tensor[:, :, 5:] == 7).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="records on a GPU")
@pytest.mark.parametrize("score", ["additive", "coverage", "general", "dot", "scaled_dot"])
def test_on_a_gpu(score: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a launch that cannot be recorded."""
    seq2seq = model(score, **OPTIONS, query="current").cuda()
    replayed = [learned(seq2seq, shape, "cuda") for shape in SHAPES]
    monkeypatch.setattr(replay, "DEVICES", ())
    for shape, found in zip(SHAPES, replayed, strict=True):
        for one, other in zip(found, learned(seq2seq, shape, "cuda"), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)
