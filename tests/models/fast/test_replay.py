"""Loops that are recorded and replayed give the same results as separate operations.

Recording needs a GPU. Here a function that computes in the recording's memory replaces it, so that shapes, padding,
copies and the memory limit are tested; the last test needs a GPU.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from heed.models.fast import replay
from heed.models.fast.replay import Group, Recording, Replayed, copied, padded, present
from heed.models.seq2seq import Seq2Seq
from tests.support.models import build_seq2seq

SHAPES = [(3, 5, 4), (2, 7, 6), (3, 9, 4), (3, 5, 4)]
"""Sentences, source words and target words: two shapes that are equal when padded, another, and the first again."""

OPTIONS: dict[str, Any] = dict(layer_norm=True, dec_layers=2, enc_layers=2, dropout=0.3, state_dropout=0.3)


def record_on_cpu(function: Callable[..., Group], given: tuple[Group, ...]) -> Recording:
    inputs = tuple(copied(group) for group in given)
    outputs = function(*inputs)

    def again() -> None:
        torch._foreach_copy_(present((outputs,)), present((function(*inputs),)))

    return Recording(again, inputs, outputs)


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start without recordings, and record all loops on the CPU."""
    replay.forget()
    monkeypatch.setattr(replay, "record", record_on_cpu)
    monkeypatch.setattr(replay, "has_room", lambda: True)
    monkeypatch.setattr(replay, "DEVICES", ("cpu",))
    yield
    replay.forget()


def recorded() -> list[int]:
    """The number of recordings of each loop."""
    return [sum(recording is not None for recording in loop.recordings.values()) for loop in replay.LOOPS]


def model(score: str, **changes: Any) -> Seq2Seq:
    torch.manual_seed(7)
    sizes: dict[str, Any] = dict(emb_dim=6, enc_dim=8, hid_dim=8, readout_dim=6, attended_dim=5, att_dim=6)
    return build_seq2seq(20, 12, score=score, **sizes | changes).double()


def learned(
    model: Seq2Seq, shape: tuple[int, int, int], used: slice = slice(None), device: str = "cpu", low: bool = False
) -> list[Tensor]:
    """The outputs in `used` (0 logits, 1 weights) of two batches of this shape, and all gradients of a loss on them."""
    batch, src_len, tgt_len = shape
    generator = torch.Generator().manual_seed(batch + src_len)
    lengths = torch.arange(src_len, src_len - batch, -1)
    model.zero_grad()
    outputs = []
    for _ in range(2):  # both before the backward pass: the second could overwrite what the first stored for it
        src = torch.randint(4, 20, (batch, src_len), generator=generator)
        tgt = torch.randint(4, 12, (batch, tgt_len), generator=generator)
        torch.manual_seed(11)
        with torch.autocast(device, torch.bfloat16, enabled=low):
            outputs += model(src.to(device), lengths.to(device), tgt.to(device))[used]
    sum(output.square().sum() for output in outputs).backward()
    return [
        *(output.detach() for output in outputs),
        *(parameter.grad for parameter in model.parameters() if parameter.grad is not None),
    ]


@pytest.mark.parametrize(
    ("score", "options"),
    [
        *((score, {}) for score in ("additive", "coverage", "general", "dot", "scaled_dot")),
        ("coverage", OPTIONS),
        ("additive", OPTIONS | {"query": "previous", "variational": True}),
    ],
)
@pytest.mark.usefixtures("as_on_a_gpu")
def test_replaying_in_padded_shapes_changes_no_result(
    score: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches padding that is attended to or learned from, and a replay that overwrites results of an earlier one."""
    seq2seq = model(score, **options)
    replayed = [learned(seq2seq, shape) for shape in SHAPES]
    # two of the three shapes are equal when padded; encoder layers share recordings, the decoder's upper layer adds one
    assert recorded() == ([3, 3, 2, 2] if options else [2, 2, 2, 2])
    monkeypatch.setattr(replay, "DEVICES", ())
    for shape, found in zip(SHAPES, replayed, strict=True):
        for one, other in zip(found, learned(seq2seq, shape), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("used", [slice(0, 1), slice(1, 2)])
@pytest.mark.usefixtures("as_on_a_gpu")
def test_a_loss_on_one_output_alone(used: slice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches the recording for gradients of all outputs, replayed when the gradients of some outputs are missing."""
    seq2seq = model("additive", query="current")
    learned(seq2seq, SHAPES[0])
    replayed = learned(seq2seq, SHAPES[0], used)
    monkeypatch.setattr(replay, "DEVICES", ())
    for one, other in zip(replayed, learned(seq2seq, SHAPES[0], used), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("score", ["additive", "scaled_dot"])
@pytest.mark.usefixtures("as_on_a_gpu")
def test_under_autocast(score: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a recorded loop that computes in other types than the same loop does without a recording."""
    seq2seq = model(score, **OPTIONS).float()
    replayed = [learned(seq2seq, shape, low=True) for shape in SHAPES]
    monkeypatch.setattr(replay, "DEVICES", ())
    for shape, found in zip(SHAPES, replayed, strict=True):
        for one, other in zip(found, learned(seq2seq, shape, low=True), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-2 * float(other.abs().max()))


@pytest.mark.usefixtures("as_on_a_gpu")
def test_without_room_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches many lengths that fill a GPU's memory with recordings, and recordings that are left for the next run."""
    seq2seq = model("additive")
    learned(seq2seq, SHAPES[0])
    monkeypatch.setattr(replay, "has_room", lambda: False)
    found = learned(seq2seq, SHAPES[2])
    assert recorded() == [1, 1, 1, 1]
    replay.forget()
    learned(seq2seq, SHAPES[0])
    assert recorded() == [0, 0, 0, 0]
    monkeypatch.setattr(replay, "DEVICES", ())
    for one, other in zip(found, learned(seq2seq, SHAPES[2]), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("as_on_a_gpu")
def test_types_have_recordings_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches float32 numbers that are copied into a recording of bfloat16, which rounds them."""
    monkeypatch.setattr(replay, "LOOPS", [])
    double: Replayed[tuple[Tensor]] = Replayed(lambda group: (2 * group[0],))
    for dtype in (torch.bfloat16, torch.float32) * 3:
        assert double((torch.full((3,), 1.001, dtype=dtype),))[0].dtype == dtype
    assert recorded() == [2]


@pytest.mark.usefixtures("as_on_a_gpu")
def test_a_recording_made_in_inference_serves_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a recording made of inference tensors, which torch does not let anyone change outside inference mode."""
    monkeypatch.setattr(replay, "LOOPS", [])
    double: Replayed[tuple[Tensor]] = Replayed(lambda group: (2 * group[0],))
    for _ in range(2):
        with torch.inference_mode():
            double((torch.ones(3),))
    assert recorded() == [1]
    (found,) = double((torch.full((3,), 2.0, requires_grad=True),))
    assert found.tolist() == [4.0] * 3
    assert not found.is_inference()
    assert not found.requires_grad
    assert torch.is_grad_enabled()


def test_nothing_is_padded_on_a_cpu() -> None:
    """Catches padding on a CPU, where it has no use."""
    tensor = torch.ones(3, 5)
    assert padded(tensor, 0, 1) is tensor


@pytest.mark.usefixtures("as_on_a_gpu")
def test_the_named_dimensions_are_padded() -> None:
    """Catches other dimensions being padded: torch counts them from the last one, with two numbers for each."""
    tensor = padded(torch.ones(3, 8, 5), 0, 2, value=7)
    assert tensor.shape == (8, 8, 8)
    assert (tensor[:3, :, :5] == 1).all()
    assert (tensor[3:] == 7).all()
    assert (tensor[:, :, 5:] == 7).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="records on a GPU")
@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize("score", ["additive", "coverage", "general", "dot", "scaled_dot"])
def test_on_a_gpu(score: str, low: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a GPU operation that cannot be recorded, and a replay with other results."""
    replay.forget()
    seq2seq = model(score, **OPTIONS, query="current").cuda()
    if low:
        seq2seq = seq2seq.float()
    replayed = [learned(seq2seq, shape, device="cuda", low=low) for shape in SHAPES]
    assert min(recorded()) >= 2
    monkeypatch.setattr(replay, "DEVICES", ())
    near = 1e-2 if low else 1e-10
    for shape, found in zip(SHAPES, replayed, strict=True):
        for one, other in zip(found, learned(seq2seq, shape, device="cuda", low=low), strict=True):
            torch.testing.assert_close(one, other, rtol=near, atol=near * float(other.abs().max()))
    replay.forget()
