import math
import warnings
from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor

from heed.models.attention import SCORES, AttentionMemory, Attn, Dot, General, Score, normalise, register_score
from tests.support.models import KINDS

CONTENT = [kind for kind in KINDS if kind != "article"]
BATCH, SRC, SIZE, WIDTH, VALUE, OUTPUT = 3, 6, 5, 7, 4, 3
LENGTHS = torch.tensor([6, 4, 1])
MASK = torch.arange(SRC) < LENGTHS.unsqueeze(1)


SETTINGS = {"additive": dict(att_dim=WIDTH), "coverage": dict(att_dim=WIDTH), "multi_head": dict(att_dim=8, heads=2)}


def attention(kind: str, dtype: torch.dtype = torch.float64) -> Attn:
    torch.manual_seed(1)
    if kind == "article":
        return Attn(SIZE, SIZE, WIDTH, VALUE, OUTPUT).to(dtype)
    return Attn(SIZE, SIZE, None, VALUE, OUTPUT, SCORES[kind](SIZE, SIZE, **SETTINGS.get(kind, {}))).to(dtype)


def inputs(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(2)
    shapes = ((BATCH, 1, SIZE), (BATCH, SRC, SIZE), (BATCH, SRC, VALUE))
    q, k, v = (torch.randn(shape, dtype=torch.float64).to(dtype) for shape in shapes)
    return q, k, v


def article_state() -> dict[str, Tensor]:
    """The parameters of the article's listing: Linear(32 + 32, 32) and Linear(32 + 64, 64)."""
    torch.manual_seed(3)
    shapes = {
        "attn.weight": (32, 64),
        "attn.bias": (32,),
        "attn_combine.weight": (64, 96),
        "attn_combine.bias": (64,),
    }
    return {name: torch.randn(shape) / 8 for name, shape in shapes.items()}


def listing(state: dict[str, Tensor], q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """The article's arithmetic, in plain operations: a batch of one, one key, no mask."""
    energies = torch.cat((q[0], k[0]), 1) @ state["attn.weight"].T + state["attn.bias"]
    weights = energies.exp() / energies.exp().sum()
    applied = sum((weights[0, j] * v[0, j] for j in range(v.size(1))), torch.zeros(v.size(2)))
    output = torch.cat((q[0], applied.unsqueeze(0)), 1) @ state["attn_combine.weight"].T + state["attn_combine.bias"]
    return output.unsqueeze(0), weights


class TestArticle:
    """The article's module: same names, same numbers."""

    def test_its_state_loads_by_name_and_gives_its_numbers(self) -> None:
        """Catches another name, order of concatenation, or softmax over another axis than in the listing."""
        state = article_state()
        attn = Attn(32, 32, 32, 64, 64)
        attn.load_state_dict(state, strict=True)
        q, k, v = torch.randn(1, 1, 32), torch.randn(1, 1, 32), torch.randn(1, 32, 64)
        output, weights = attn(q, k, v)
        assert output.shape == (1, 1, 64)
        assert weights.shape == (1, 32)
        expected_output, expected_weights = listing(state, q, k, v)
        torch.testing.assert_close(output, expected_output, rtol=0, atol=1e-6)
        torch.testing.assert_close(weights, expected_weights, rtol=0, atol=1e-6)

    def test_a_batch_equals_its_sentences_one_by_one(self) -> None:
        """Catches a batch of which only the first sentence is read, as in the listing, which uses q[0]."""
        state = article_state()
        attn = Attn(32, 32, 32, 64, 64)
        attn.load_state_dict(state)
        q, k, v = torch.randn(4, 1, 32), torch.randn(4, 1, 32), torch.randn(4, 32, 64)
        output, weights = attn(q, k, v)
        for i in range(4):
            expected_output, expected_weights = listing(state, q[i : i + 1], k[i : i + 1], v[i : i + 1])
            torch.testing.assert_close(output[i : i + 1], expected_output, rtol=0, atol=1e-6)
            torch.testing.assert_close(weights[i : i + 1], expected_weights, rtol=0, atol=1e-6)

    def test_it_attends_by_position_and_not_by_word(self) -> None:
        """Catches weights that depend on the words: this score is location-based, so permuted words change nothing."""
        attn, (q, k, v) = attention("article"), inputs()
        order = torch.randperm(SRC)
        torch.testing.assert_close(attn(q, k[:, order], v[:, order])[1], attn(q, k, v)[1], rtol=0, atol=1e-12)

    def test_positions_beyond_its_own_get_no_weight_and_a_warning_names_them(self) -> None:
        """Catches an error for a longer source, as in the listing, weight on such positions, and a missing warning."""
        attn = Attn(SIZE, SIZE, 4, VALUE, OUTPUT).double()
        attn.state_dict()["attn.bias"].fill_(-1e12)  # energies below any number that might stand for minus infinity
        q, k, v = inputs()
        with pytest.warns(UserWarning, match="positions 5 to 6 cannot be attended"):
            output, weights = attn(q, k, v, MASK)
        assert (weights[:, 4:] == 0).all()
        torch.testing.assert_close(weights.sum(1), torch.ones(BATCH, dtype=torch.float64))
        assert output.isfinite().all()

    def test_a_source_that_fits_warns_of_nothing(self) -> None:
        """Catches a warning at every step of every run, which users would ignore."""
        attn = Attn(SIZE, SIZE, SRC, VALUE, OUTPUT).double()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            attn(*inputs(), MASK)


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_a_batch_equals_its_sentences_one_by_one(self, kind: str) -> None:
        """Catches a sum or a softmax over the batch, and one sentence's keys that are used for all."""
        attn, (q, k, v) = attention(kind), inputs()
        output, weights = attn(q, k, v, MASK)
        for i, length in enumerate(LENGTHS.tolist()):
            alone_output, alone_weights = attn(q[i : i + 1], k[i : i + 1, :length], v[i : i + 1, :length])
            torch.testing.assert_close(output[i : i + 1], alone_output, rtol=0, atol=1e-12)
            torch.testing.assert_close(weights[i : i + 1, :length], alone_weights, rtol=0, atol=1e-12)

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
    def test_padding_gets_exactly_zero(self, kind: str, dtype: torch.dtype) -> None:
        """Catches small weights on padding, in any precision."""
        _, weights = attention(kind, dtype)(*inputs(dtype), MASK)
        assert (weights[~MASK] == 0).all()
        assert (weights[MASK] > 0).all()

    @pytest.mark.parametrize("garbage", [0.0, 1e6, -1e6])
    def test_padding_changes_nothing(self, kind: str, garbage: float) -> None:
        """Catches padding that affects output and weights because it is scored, summed or averaged."""
        attn, (q, k, v) = attention(kind), inputs()
        output, weights = attn(q, k, v, MASK)
        k, v = (torch.cat((part, part[:, :1]), dim=1) for part in (k, v))  # one position more
        mask = torch.cat((MASK, torch.zeros(BATCH, 1, dtype=torch.bool)), dim=1)
        k[~mask], v[~mask] = garbage, -garbage
        padded_output, padded_weights = attn(q, k, v, mask)
        torch.testing.assert_close(padded_output, output, rtol=0, atol=1e-12)
        torch.testing.assert_close(padded_weights[:, :SRC], weights, rtol=0, atol=1e-12)
        assert (padded_weights[:, SRC:] == 0).all()

    def test_a_single_real_word_gets_everything(self, kind: str) -> None:
        """Catches NaN from a softmax over one finite energy, forward or backward."""
        attn, (q, k, v) = attention(kind), inputs()
        q.requires_grad_()
        output, weights = attn(q, k, v, MASK)
        assert weights[2].tolist() == [1, 0, 0, 0, 0, 0]
        (output.square().sum() + weights.square().sum()).backward()
        assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in attn.parameters())
        assert q.grad is not None
        assert q.grad.isfinite().all()

    def test_gradients_are_right(self, kind: str) -> None:
        """Compares every derivative with finite differences, through weights and output, with padding."""
        attn, (q, k, v) = attention(kind), inputs()
        names = list(attn.state_dict())

        def call(q: Tensor, k: Tensor, v: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor]:
            outputs: tuple[Tensor, Tensor] = torch.func.functional_call(
                attn, dict(zip(names, parameters, strict=True)), (q, k, v, MASK)
            )
            return outputs

        given = [part.detach().requires_grad_() for part in (q, k, v, *attn.state_dict().values())]
        assert torch.autograd.gradcheck(call, given)

    def test_without_a_mask_every_position_is_real(self, kind: str) -> None:
        """The article's call has no mask: the last position must not be mistaken for padding."""
        attn, (q, k, v) = attention(kind), inputs()
        every = torch.ones(BATCH, SRC, dtype=torch.bool)
        torch.testing.assert_close(attn(q, k, v), attn(q, k, v, every), rtol=0, atol=0)

    def test_rows_of_a_memory_can_be_selected(self, kind: str) -> None:
        """Catches a part of the memory that is not selected: beam search, which selects rows, would mix sentences."""
        attn, (q, k, v) = attention(kind), inputs()
        index = torch.tensor([2, 0, 0])
        chosen = attn.attend(q[index, 0], attn.memory(k, v, MASK).select(index))
        whole = attn.attend(q[:, 0], attn.memory(k, v, MASK))
        for part, expected in zip(chosen, whole, strict=True):
            torch.testing.assert_close(part, expected[index], rtol=0, atol=1e-12)

    def test_wrong_sizes_are_named(self, kind: str) -> None:
        """Catches torch's own message, which names neither the wrong tensor nor the expected size."""
        attn, (q, k, v) = attention(kind), inputs()
        with pytest.raises(ValueError, match=r"a query of size 6 .* size 5"):
            attn(torch.zeros(BATCH, 1, 6, dtype=torch.float64), k, v)
        with pytest.raises(ValueError, match=r"a key of size 6 .* size 5"):
            attn(q, torch.zeros(BATCH, SRC, 6, dtype=torch.float64), v)
        with pytest.raises(ValueError, match=r"a value of size 5 .* size 4"):
            attn(q, k, torch.zeros(BATCH, SRC, 5, dtype=torch.float64))
        with pytest.raises(ValueError, match="6 values need the same number of keys, got 4"):
            attn(q, k[:, :4], v)


@pytest.mark.parametrize("kind", CONTENT)
class TestContentKinds:
    def test_permuted_words_take_their_weights_along(self, kind: str) -> None:
        """Catches a score that depends on positions, and weights that belong to another word."""
        attn, (q, k, v) = attention(kind), inputs()
        order = torch.tensor([3, 0, 5, 1, 4, 2])
        output, weights = attn(q, k, v)
        permuted_output, permuted_weights = attn(q, k[:, order], v[:, order])
        torch.testing.assert_close(permuted_weights, weights[:, order], rtol=0, atol=1e-12)
        torch.testing.assert_close(permuted_output, output, rtol=0, atol=1e-12)

    def test_one_key_for_all_words_is_refused(self, kind: str) -> None:
        """Catches the article's single key, which would be broadcast and give equal weights everywhere."""
        attn, (q, k, v) = attention(kind), inputs()
        with pytest.raises(ValueError, match="6 values need the same number of keys, got 1"):
            attn(q, k[:, :1], v)


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def by_hand(  # noqa: PLR0911
    kind: str, parameters: Mapping[str, Tensor], s: list[float], h: list[list[float]], j: int, covered: float
) -> float | list[float]:
    """The equation that the score's docstring states, for one position, on plain numbers."""
    p = {name: value.tolist() for name, value in parameters.items()}
    match kind:
        case "article":
            mean = [sum(column) / len(h) for column in zip(*h, strict=True)]
            return dot([*p["weight"][j], p["bias"][j]], [*s, *mean, 1])
        case "additive":
            rows = zip(p["query.weight"], p["query.bias"], p["key.weight"], strict=True)
            return dot(p["energy.weight"][0], [math.tanh(dot(w, s) + b + dot(u, h[j])) for w, b, u in rows])
        case "coverage":
            parts = zip(p["query.weight"], p["query.bias"], p["key.weight"], p["coverage.weight"], strict=True)
            tanh = [math.tanh(dot(w, s) + b + dot(u, h[j]) + c[0] * covered) for w, b, u, c in parts]
            return dot(p["energy.weight"][0], tanh)
        case "multi_head":
            rows = zip(p["query.weight"], p["query.bias"], p["key.weight"], strict=True)
            terms = [
                v * math.tanh(dot(w, s) + b + dot(u, h[j]))
                for v, (w, b, u) in zip(p["energy.weight"][0], rows, strict=True)
            ]
            return [math.fsum(terms[:4]), math.fsum(terms[4:])]
        case "general":
            return dot(s, [dot(row, h[j]) for row in p["key.weight"]])
        case "dot":
            return dot(s, h[j])
        case "scaled_dot":
            return dot(s, h[j]) / math.sqrt(len(s))
    raise ValueError(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_each_score_is_its_equation(kind: str) -> None:
    """Catches a transposed matrix, a missing scale or bias, and a misplaced tanh, by arithmetic on single numbers."""
    attn, (q, k, v) = attention(kind), inputs()
    memory = attn.memory(k, v, torch.ones(BATCH, SRC, dtype=torch.bool))
    covered = torch.rand(BATCH, SRC, generator=torch.Generator().manual_seed(2), dtype=k.dtype)
    energies = attn.attn(q[:, 0], memory._replace(coverage=covered))
    parameters = dict(attn.get_submodule("attn").named_parameters())
    for i in range(BATCH):
        before = covered[i].tolist()
        expected = [by_hand(kind, parameters, q[i, 0].tolist(), k[i].tolist(), j, before[j]) for j in range(SRC)]
        difference = energies[i] - torch.tensor(expected, dtype=torch.float64)
        if kind == "multi_head":  # its energies omit a term that is the same for all positions
            difference = difference - difference[:1]
        torch.testing.assert_close(difference, torch.zeros_like(difference), rtol=0, atol=1e-12)


def test_the_three_steps_by_hand() -> None:
    """Softmax, weighted sum and combination of one query, on plain numbers."""
    attn, (q, k, v) = attention("dot"), inputs()
    output, weights = attn(q, k, v)
    energies = [dot(q[0, 0].tolist(), key) for key in k[0].tolist()]
    total = sum(math.exp(e) for e in energies)
    expected = [math.exp(e) / total for e in energies]
    context = [dot(expected, column) for column in zip(*v[0].tolist(), strict=True)]
    joined = q[0, 0].tolist() + context
    rows = zip(attn.attn_combine.weight.tolist(), attn.attn_combine.bias.tolist(), strict=True)
    assert weights[0].tolist() == pytest.approx(expected, abs=1e-12)
    assert output[0, 0].tolist() == pytest.approx([dot(w, joined) + b for w, b in rows], abs=1e-12)


def test_padding_loses_to_any_real_energy() -> None:
    """Catches a large negative number used as minus infinity: padding would win if real energies are even lower."""
    weights = normalise(torch.tensor([[-1e30, -1e30, 0.0]]), torch.tensor([[True, True, False]]))
    assert weights.tolist() == [[0.5, 0.5, 0.0]]


def test_one_key_is_enough_for_the_article() -> None:
    """The article's call gives one key. Keys for each word are averaged, so equal keys must give the same result."""
    attn, (q, k, v) = attention("article"), inputs()
    one = k[:, :1]
    torch.testing.assert_close(attn(q, one, v), attn(q, one.expand(-1, SRC, -1), v), rtol=0, atol=1e-12)


def test_a_dot_product_of_two_sizes_is_refused() -> None:
    """Catches a matrix product that fails later, with a message that names neither the sizes nor an alternative."""
    for kind in ("dot", "scaled_dot"):
        with pytest.raises(ValueError, match=r"query 5 and key 6.*general"):
            SCORES[kind](5, 6)
    General(5, 6)


def test_the_article_s_width_and_another_score_exclude_each_other() -> None:
    """Catches a call with both, or with neither, that is accepted silently."""
    for width, score in ((WIDTH, Dot(SIZE, SIZE)), (None, None)):
        with pytest.raises(ValueError, match=r"give value_size1, .*or another score"):
            Attn(SIZE, SIZE, width, VALUE, OUTPUT, score)


@pytest.mark.parametrize("kind", KINDS)
def test_every_score_satisfies_the_protocol(kind: str) -> None:
    """Heed's own scores satisfy the protocol for scores from outside."""
    assert isinstance(attention(kind).attn, Score)


def test_a_name_belongs_to_one_score() -> None:
    """Catches a second score under the name of another, which would change the results of existing model folders."""
    with pytest.raises(ValueError, match="the score 'dot' is already registered"):
        register_score("dot")(General)
    assert SCORES["dot"] is Dot


def test_every_registered_score_is_tested_here() -> None:
    """Catches a new score that these tests do not cover."""
    assert {name for name, score in SCORES.items() if score.__module__ == "heed.models.attention"} == set(KINDS)


def test_projected_keys_stay_off_the_module() -> None:
    """Catches keys stored on the module, which would be those of the last batch and get into checkpoints."""
    attn, (q, k, v) = attention("additive"), inputs()
    before = set(vars(attn)) | set(vars(attn.attn)) | set(attn.state_dict())
    memory = attn.memory(k, v, MASK)
    attn.attend(q[:, 0], memory)
    assert isinstance(memory, AttentionMemory)
    assert set(vars(attn)) | set(vars(attn.attn)) | set(attn.state_dict()) == before
