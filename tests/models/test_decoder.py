import pytest
import torch
from torch import Tensor

from heed.models.attention import AttentionMemory
from heed.models.decoder import NO_MASKS, State
from heed.models.seq2seq import Seq2Seq
from heed.search.greedy import greedy
from tests.support.models import BOS, EOS, KINDS, sentences, small_model, targets

DEPTHS = pytest.mark.parametrize("layers", [1, 2])
QUERIES = pytest.mark.parametrize("query", ["previous", "current"])
SHAPES = pytest.mark.parametrize(
    ("layers", "query"), [(1, "previous"), (2, "previous"), (1, "current"), (2, "current"), (1, "conditional")]
)
LENGTHS = [5, 3, 1]


def start(model: Seq2Seq) -> tuple[State, AttentionMemory]:
    with torch.no_grad():
        return model.encode(*sentences(LENGTHS))


@SHAPES
@pytest.mark.parametrize("kind", KINDS)
def test_stepping_equals_the_whole_sentence(kind: str, layers: int, query: str) -> None:
    """Search uses single steps and training whole sentences. Catches a search with another model than was trained."""
    model = small_model(score=kind, dec_layers=layers, query=query).double()
    src, src_len = sentences(LENGTHS)
    tgt = targets(3, 6)
    logits, weights = model(src, src_len, tgt)
    state, memory = model.encode(src, src_len)
    for position in range(6):
        step_logits, state, step_weights = model.step(tgt[:, position], state, memory)
        torch.testing.assert_close(logits[:, position], step_logits, rtol=0, atol=1e-10)
        torch.testing.assert_close(weights[:, position], step_weights, rtol=0, atol=1e-10)


@SHAPES
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_query_knows(kind: str, layers: int, query: str) -> None:
    """The previous state has not read the last word, the others have. Catches heatmaps shifted by one word."""
    model = small_model(score=kind, dec_layers=layers, query=query, sharp=3.0).double()
    src, src_len = sentences([5])
    tgt = targets(1, 6)
    changed = tgt.clone()
    changed[0, 3] = 4 + (tgt[0, 3] - 3) % 8
    weights, changed_weights = model(src, src_len, tgt)[1][0], model(src, src_len, changed)[1][0]
    moved = (weights - changed_weights).abs().amax(dim=1) > 1e-9
    known = 4 if query == "previous" else 3
    assert moved.tolist() == [False] * known + [True] * (6 - known)


@QUERIES
def test_the_query_is_the_lowest_layer(query: str) -> None:
    """Catches a query from an upper layer: in the equations, the layer that reads the words attends."""
    model = small_model(dec_layers=2, query=query)
    state, memory = start(model)
    emb = model.decoder.embed(torch.full((3,), BOS))
    asking = state if query == "previous" else model.decoder.read_word(emb, state, NO_MASKS)
    expected = model.decoder.attention.attend(asking.hidden[:, 0], memory).weights
    torch.testing.assert_close(model.decoder.advance(emb, state, memory)[1].weights, expected, rtol=0, atol=0)


@pytest.mark.parametrize("query", ["previous", "current", "conditional"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_attended_enters_the_state(kind: str, query: str) -> None:
    """Catches attention that is computed but not used."""
    model = small_model(score=kind, query=query)
    state, memory = start(model)
    other = memory._replace(values=memory.values + 1)
    token = torch.full((3,), BOS)

    # two steps, because with a current query the first step reads what was attended before it
    def after_two(memory: AttentionMemory) -> Tensor:
        return model.step(token, model.step(token, state, memory)[1], memory)[1].hidden

    assert ((after_two(memory) - after_two(other)).abs().amax(dim=(1, 2)) > 1e-4).all()
    with torch.no_grad():
        model.decoder.attention.attn_combine.weight[:, 8:] = 0  # the context's columns: its only way into the state
    torch.testing.assert_close(after_two(memory), after_two(other), rtol=0, atol=0)


@pytest.mark.parametrize("layer_norm", [False, True])
def test_a_conditional_gru_attends_between_its_two_cells(layer_norm: bool) -> None:
    """Catches a query other than the state between the cells, and dropout that changes that state itself."""
    model = small_model(query="conditional", layer_norm=layer_norm, sharp=2.0).double()
    decoder = model.decoder
    state, memory = model.encode(*sentences(LENGTHS))
    emb = decoder.embed(torch.full((3,), BOS))
    masks = NO_MASKS._replace(states=torch.tensor([0.0, 2.0]).repeat(3, 1, 4).double())
    before, mask = state.hidden[:, 0], masks.states[:, 0]  # type: ignore[index]

    between = decoder.cells[0](emb, before, before * mask)
    attended = decoder.attention.attend(between * mask, memory)
    after = decoder.second_cell(attended.output, between, between * mask)  # type: ignore[misc]

    found, looked = decoder.advance(emb, state, memory, masks)
    torch.testing.assert_close(found.hidden[:, 0], after, rtol=0, atol=0)
    torch.testing.assert_close(looked.weights, attended.weights, rtol=0, atol=0)
    assert not torch.allclose(decoder.advance(emb, state, memory)[0].hidden, found.hidden)


def test_logits_see_state_context_and_word() -> None:
    """Catches an output layer that ignores the state, the context or the word."""
    model = small_model()
    top, context, emb = torch.randn(3, 8), torch.randn(3, 8), torch.randn(3, 6)
    before = model.decoder.read_out(top, context, emb)
    for changed in ((top + 1, context, emb), (top, context + 1, emb), (top, context, emb + 1)):
        assert ((model.decoder.read_out(*changed) - before).abs() > 1e-6).any(dim=1).all()


def test_nothing_squashes_the_readout() -> None:
    """Catches a tanh in the readout, which lowers BLEU: doubled state, context and word must double the readout."""
    decoder = small_model(sharp=10.0).double().decoder
    top, context, emb = (torch.randn(3, size, dtype=torch.float64) for size in (8, 8, 6))
    twice = decoder.read_out(2 * top, 2 * context, 2 * emb)
    torch.testing.assert_close(twice, 2 * decoder.read_out(top, context, emb))


def test_a_word_changes_nothing_before_it() -> None:
    """Catches a logit that depends on the word that it predicts."""
    model = small_model().double()
    src, src_len = sentences(LENGTHS)
    tgt = targets(3, 6)
    changed = tgt.clone()
    changed[:, 4:] = 4 + (tgt[:, 4:] - 3) % 8
    before, after = model(src, src_len, tgt)[0], model(src, src_len, changed)[0]
    torch.testing.assert_close(before[:, :4], after[:, :4], rtol=0, atol=0)
    assert (before[:, 4:] != after[:, 4:]).any(dim=2).all()


class TestBridge:
    def test_every_layer_starts_from_the_source(self) -> None:
        """Catches initial states that do not depend on the source, and the same initial state for all layers."""
        model = small_model(dec_layers=2)
        hidden = start(model)[0].hidden
        assert hidden.shape == (3, 2, 8)
        assert (hidden[0] != hidden[1]).any(dim=1).all()
        assert (hidden[:, 0] != hidden[:, 1]).any(dim=1).all()
        assert (hidden.abs() < 1).all()

    def test_it_learns(self) -> None:
        model = small_model()
        model(*sentences(LENGTHS), targets(3, 4))[0].square().sum().backward()
        gradient = model.decoder.bridge.weight.grad
        assert gradient is not None
        assert gradient.abs().amax(dim=1).gt(0).all()


class Reading:
    """Records the words that a decoder reads at each step, when it looks up their embeddings."""

    def __init__(self, model: Seq2Seq) -> None:
        self.words: list[Tensor] = []
        model.decoder.embedding.register_forward_hook(lambda _module, inputs, _output: self.words.append(inputs[0]))

    def taken(self) -> Tensor:
        words = torch.stack(self.words, dim=1)
        self.words.clear()
        return words


@DEPTHS
class TestScheduledSampling:
    def test_a_ratio_of_zero_is_greedy_search(self, layers: int) -> None:
        """Catches a decoder that reads other words than those that greedy search writes."""
        model = small_model(sharp=3.0, dec_layers=layers)
        reading = Reading(model)
        src, src_len = sentences([6, 4, 2, 5])
        with torch.no_grad():
            model(src, src_len, targets(4, 8), teacher_forcing=0.0)
        read = reading.taken()
        hypotheses = greedy(model, src, src_len, BOS, EOS, max_len=7)
        assert len({tuple(h.ids) for h in hypotheses}) > 1
        for row, hypothesis in zip(read.tolist(), hypotheses, strict=True):
            written = hypothesis.ids + [EOS] * (len(hypothesis.attention) - len(hypothesis.ids))
            assert row[: len(written) + 1] == [BOS, *written]

    def test_a_ratio_of_zero_ignores_the_reference(self, layers: int) -> None:
        model = small_model(sharp=3.0, dec_layers=layers)
        src, src_len = sentences(LENGTHS)
        with torch.no_grad():
            one, other = (model(src, src_len, targets(3, 6, seed), teacher_forcing=0.0)[0] for seed in (1, 2))
        torch.testing.assert_close(one, other, rtol=0, atol=0)

    def test_a_ratio_of_almost_one_is_teacher_forcing(self, layers: int) -> None:
        """Catches a difference between the loop that samples words and the loop that reads the reference."""
        model = small_model(dec_layers=layers).double()
        src, src_len = sentences(LENGTHS)
        tgt = targets(3, 6)
        state, memory = model.encode(src, src_len)
        forced = model.decoder(tgt, state, memory)
        sampled = model.decoder(tgt, state, memory, teacher_forcing=1.0 - 1e-12)
        torch.testing.assert_close(sampled, forced, rtol=0, atol=1e-10)

    def test_the_ratio_is_the_share_of_reference_words(self, layers: int) -> None:
        """Catches one draw for a whole sentence, and a wrong share: 0.3 of 1,200 words, within five deviations."""
        model = small_model(dec_layers=layers)
        with torch.no_grad():
            model.decoder.output.bias[5] = -100.0  # never predicted, so each 5 that is read is from the reference
        reading = Reading(model)
        src, src_len = sentences([4] * 40)
        tgt = torch.full((40, 31), 5)
        torch.manual_seed(0)
        with torch.no_grad():
            model(src, src_len, tgt, teacher_forcing=0.3)
        forced = reading.taken()[:, 1:] == 5
        assert abs(forced.sum() - 0.3 * 1200) < 5 * (1200 * 0.3 * 0.7) ** 0.5
        assert 0 < forced.float().mean(dim=1).amin() < forced.float().mean(dim=1).amax() < 1

    def test_a_seed_decides(self, layers: int) -> None:
        """Catches draws that do not depend on the seed alone: a resumed run must repeat those of a straight run."""
        model = small_model(sharp=3.0, dec_layers=layers)
        src, src_len = sentences(LENGTHS)
        outcomes = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            outcomes.append(model(src, src_len, targets(3, 8), teacher_forcing=0.5)[0])
        assert torch.equal(outcomes[0], outcomes[1])
        assert not torch.equal(outcomes[0], outcomes[2])

    def test_sampled_words_can_be_computed_alone(self, layers: int) -> None:
        """Catches other words than the decoder reads with the same seed: R-Drop needs the same sampled words twice."""
        model = small_model(sharp=3.0, dec_layers=layers)
        reading = Reading(model)
        src, src_len = sentences(LENGTHS)
        with torch.no_grad():
            torch.manual_seed(1)
            model(src, src_len, targets(3, 8), teacher_forcing=0.5)
            read = reading.taken()
            torch.manual_seed(1)
            words = model.sample_inputs(src, src_len, targets(3, 8), teacher_forcing=0.5)
        assert torch.equal(words, read)
        assert not torch.equal(words, targets(3, 8))

    def test_it_trains(self, layers: int) -> None:
        """Catches a parameter that loses its gradient because the choice of a word has none."""
        model = small_model(dec_layers=layers)
        model(*sentences(LENGTHS), targets(3, 6), teacher_forcing=0.5)[0].square().sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
