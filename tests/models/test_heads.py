"""Several additive heads: each uses its own part, and one head equals plain additive attention."""

import pytest
import torch
from torch import Tensor

from heed.models.attention import Additive, Attn, MultiHead
from tests.support.models import sentences, small_model, targets

MASK = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    shapes = (2, 1, 6), (2, 5, 6), (2, 5, 8)
    q, k, v = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    return q, k, v


def heads(count: int) -> Attn:
    torch.manual_seed(1)
    return Attn(6, 6, None, 8, 5, MultiHead(6, 6, att_dim=12, heads=count)).double()


def test_one_head_is_additive_attention() -> None:
    """Catches a wrong split or sum over the heads' shares."""
    single, plain = heads(1), Attn(6, 6, None, 8, 5, Additive(6, 6, att_dim=12)).double()
    plain.load_state_dict(single.state_dict())
    for several, one in zip(single(*inputs(), MASK), plain(*inputs(), MASK), strict=True):
        torch.testing.assert_close(several, one, rtol=0, atol=1e-12)


def test_each_head_is_additive_attention_over_its_share() -> None:
    """Catches heads that affect each other: each head is computed again alone, from its share of score and values."""
    attn, (q, k, v) = heads(2), inputs()
    memory, additive = attn.memory(k, v, MASK), attn.attn
    assert isinstance(additive, Additive)
    attended = attn.attend(q[:, 0], memory)
    weights = []
    for head in range(2):
        score, share = slice(6 * head, 6 * head + 6), slice(4 * head, 4 * head + 4)
        tanh = torch.tanh(additive.query(q[:, 0]).unsqueeze(1) + memory.keys)[:, :, score]
        energies = (tanh @ additive.energy.weight[0, score]).masked_fill(~MASK, -torch.inf)
        weights.append(torch.softmax(energies, dim=1))
        context = (weights[-1].unsqueeze(2) * v[:, :, share]).sum(1)
        torch.testing.assert_close(attended.context[:, share], context, rtol=0, atol=1e-12)
    torch.testing.assert_close(attended.weights, (weights[0] + weights[1]) / 2, rtol=0, atol=1e-12)
    assert not attended.weights[~MASK].any()


def test_gradcheck() -> None:
    attn = heads(2)
    q, k, v = (part.requires_grad_() for part in inputs())
    assert torch.autograd.gradcheck(lambda *given: attn(*given, MASK), (q, k, v))


def test_stepping_equals_the_whole_sentence() -> None:
    """Catches a whole sentence run by the fast loop, which does not support several heads."""
    model = small_model(score="multi_head", att_dim=12, heads=2)
    (src, src_len), tgt = sentences([5, 3, 4]), targets(3, 4)
    whole, weights = model(src, src_len, tgt)
    state, memory = model.encode(src, src_len)
    for position in range(tgt.size(1)):
        logits, state, attended = model.step(tgt[:, position], state, memory)
        torch.testing.assert_close(logits, whole[:, position])
        torch.testing.assert_close(attended, weights[:, position])


def test_shares_must_be_even() -> None:
    """Catches a remainder that is cut off or taken from another head."""
    with pytest.raises(ValueError, match="heads=2 cannot share att_dim=11 evenly"):
        MultiHead(6, 6, att_dim=11, heads=2)
    with pytest.raises(ValueError, match="2 heads cannot share values of size 9 evenly"):
        Attn(6, 6, None, 9, 5, MultiHead(6, 6, att_dim=12, heads=2))
