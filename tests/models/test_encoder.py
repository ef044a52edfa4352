from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from heed.models.cell import Cell
from heed.models.dropout import NO_DROPOUT, Dropout, dropout_mask
from heed.models.embedding import Embedding
from heed.models.encoder import Encoder, EncoderOutput
from heed.models.fast import bidirectional as fast_loop
from tests.support.models import PAD, sentences

DEPTHS = pytest.mark.parametrize("layers", [1, 2])
DIRECTIONS = pytest.mark.parametrize("bidirectional", [True, False])
LENGTHS = [3, 6, 1, 4]  # neither ascending nor descending


def encoder(layers: int, bidirectional: bool) -> Encoder:
    torch.manual_seed(1)
    return Encoder(Embedding(20, 5), 8, layers, bidirectional).double().eval()


def encode(module: Encoder, src: Tensor, src_len: Tensor) -> EncoderOutput:
    output: EncoderOutput = module(src, src_len)
    return output


@DIRECTIONS
@DEPTHS
class TestEncoder:
    def test_the_summary_is_of_the_last_real_word(self, layers: int, bidirectional: bool) -> None:
        """Catches a summary read at the last column, which may be padding, or from the lower layer."""
        src, src_len = sentences(LENGTHS, width=7)
        states, summary = encode(encoder(layers, bidirectional), src, src_len)
        forwards = states[torch.arange(len(src)), src_len - 1]
        expected = torch.cat((forwards[:, :4], states[:, 0, 4:]), dim=1) if bidirectional else forwards
        torch.testing.assert_close(summary, expected, rtol=0, atol=0)

    def test_padding_changes_nothing(self, layers: int, bidirectional: bool) -> None:
        """Catches padding that affects a state: the backward direction would read it first."""
        module = encoder(layers, bidirectional)
        src, src_len = sentences(LENGTHS)
        states, summary = encode(module, src, src_len)
        wider = torch.randint(4, 20, (len(src), 9))
        wider[:, :6] = torch.where(torch.arange(6) < src_len.unsqueeze(1), src, wider[:, :6])
        wider_states, wider_summary = encode(module, wider, src_len)
        torch.testing.assert_close(wider_summary, summary, rtol=0, atol=0)
        torch.testing.assert_close(wider_states[:, :6], states, rtol=0, atol=0)
        assert wider_states.shape == (4, 9, 8)
        assert (wider_states[:, 6:] == 0).all()

    def test_a_batch_equals_its_sentences_in_their_order(self, layers: int, bidirectional: bool) -> None:
        """Catches states of another sentence: packing sorts by length, and the order must be restored afterwards."""
        module = encoder(layers, bidirectional)
        src, src_len = sentences(LENGTHS)
        states, summary = encode(module, src, src_len)
        for i, length in enumerate(LENGTHS):
            alone = encode(module, src[i : i + 1, :length], src_len[i : i + 1])
            torch.testing.assert_close(states[i : i + 1, :length], alone.states, rtol=0, atol=1e-12)
            torch.testing.assert_close(summary[i : i + 1], alone.summary, rtol=0, atol=1e-12)

    def test_the_fast_loop_equals_torch_s(self, layers: int, bidirectional: bool) -> None:
        """Catches a sentence that is reversed with its padding, swapped directions, and a wrong derivative."""
        module = encoder(layers, bidirectional)
        src, src_len = sentences(LENGTHS, width=7)
        outcomes = []

        def fast(emb: Tensor, src_len: Tensor) -> tuple[Tensor, Tensor]:
            return fast_loop.run(module.gru, (module.norm_input, module.norm_hidden), emb, src_len, NO_DROPOUT)

        for run in (module.run_packed, fast):
            module.zero_grad()
            states, summary = run(module.embedding(src), src_len)
            (states.square().sum() + summary.pow(3).sum()).backward()
            outcomes.append([states, summary, *(p.grad.clone() for p in module.parameters() if p.grad is not None)])
        assert len(outcomes[0]) == 2 + len(list(module.parameters()))
        for expected, found in zip(*outcomes, strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)

    def test_the_fast_loop_is_used_only_in_training(
        self, layers: int, bidirectional: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Catches a loss of speed that no value shows: torch's loop is faster only if no gradients are needed."""
        module = encoder(layers, bidirectional).train()
        runs: list[str] = []

        def counted(name: str, run: Callable[..., tuple[Tensor, Tensor]], *arguments: Any) -> tuple[Tensor, Tensor]:
            runs.append(name)
            return run(*arguments)

        for owner, name in ((module, "run_packed"), (fast_loop, "run")):
            monkeypatch.setattr(owner, name, partial(counted, name, getattr(owner, name)))
        encode(module, *sentences(LENGTHS))
        with torch.no_grad():
            encode(module, *sentences(LENGTHS))
        assert runs == ["run", "run_packed"]

    def test_what_a_state_has_read(self, layers: int, bidirectional: bool) -> None:
        """One direction has read the words so far, two directions have read the whole sentence."""
        module = encoder(layers, bidirectional)
        src, src_len = sentences([5])
        changed = src.clone()
        changed[0, 3] = 4 + (src[0, 3] - 3) % 16
        before, after = encode(module, src, src_len).states[0], encode(module, changed, src_len).states[0]
        moved = (before != after).any(dim=1).tolist()
        assert moved == ([True] * 5 if bidirectional else [False, False, False, True, True])


def test_an_odd_size_for_two_directions_is_refused() -> None:
    with pytest.raises(ValueError, match=r"enc_dim must be even, .* got 7"):
        Encoder(Embedding(20, 5), 7)


def weights(module: Encoder, layer: int, direction: int) -> dict[str, Tensor]:
    """The parameters of one layer in one direction, by their names in a cell."""
    name = f"l{layer}{'_reverse' * direction}"
    found = {part: getattr(module.gru, f"{part}_{name}") for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    for own, norms in (("norm_input", module.norm_input), ("norm_hidden", module.norm_hidden)):
        for norm in norms[2 * layer + direction : 2 * layer + direction + 1]:
            found |= {f"{own}.{part}": value for part, value in norm.named_parameters()}
    return found


def stepped(module: Encoder, src: Tensor, src_len: Tensor) -> tuple[Tensor, Tensor]:
    """The outputs of a bidirectional encoder, by cells that go from word to word, with derivatives from autograd."""
    states, hid = module.embedding(src), module.gru.hidden_size
    masks = [dropout_mask(states, (2, len(src), hid), module.dropout.states) for _ in range(module.gru.num_layers)]
    for layer, mask in enumerate(masks):
        cell = Cell(states.size(2), hid, layer_norm=len(module.norm_input) > 0)
        found, ends = states.new_zeros(*src.shape, 2, hid), []
        for direction, order in enumerate((range(src.size(1)), reversed(range(src.size(1))))):
            state = states.new_zeros(len(src), hid)
            for t in order:
                masked = None if mask is None else state * mask[direction]
                after = functional_call(cell, weights(module, layer, direction), (states[:, t], state, masked))
                real = (t < src_len).unsqueeze(1)
                state = torch.where(real, after, state)
                found[:, t, direction] = state * real
            ends.append(state)
        states = found.flatten(2)
    return states, torch.cat(ends, dim=1)


@pytest.mark.parametrize(("layer_norm", "share"), [(True, 0.0), (False, 0.5), (True, 0.5)])
def test_the_fast_loop_equals_stepped_cells(layer_norm: bool, share: float) -> None:
    """Catches wrong derivatives of layer normalisation or of a mask for states, in either direction and layer.

    Also catches torch's loop, which has no layer normalisation, being used if no gradients are needed.
    """
    torch.manual_seed(1)
    module = Encoder(Embedding(20, 5), 8, 2, dropout=Dropout(states=share), layer_norm=layer_norm).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    src, src_len = sentences(LENGTHS, width=7)
    src[src != PAD] = torch.arange(4, 18)  # no word occurs twice, so each position has its own gradient
    outcomes = []
    for run in (partial(encode, module), partial(stepped, module)):
        torch.manual_seed(2)  # the same masks
        module.zero_grad()
        states, summary = run(src, src_len)
        (states.square().sum() + summary.pow(3).sum()).backward()
        outcomes.append([states, summary, *(p.grad.clone() for p in module.parameters() if p.grad is not None)])
    assert len(outcomes[0]) == 2 + len(list(module.parameters()))
    for found, expected in zip(*outcomes, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    torch.manual_seed(2)
    with torch.no_grad():
        torch.testing.assert_close(encode(module, src, src_len).states, outcomes[0][0], rtol=0, atol=1e-12)


def test_lengths_may_have_any_integer_type() -> None:
    """Catches int32 lengths that are refused, or that change the states."""
    module = encoder(1, True)
    src, src_len = sentences(LENGTHS)
    torch.testing.assert_close(module(src, src_len.int()), module(src, src_len), rtol=0, atol=0)
