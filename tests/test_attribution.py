"""Every method on models for which it is known which source words a target word depends on."""

import copy
from itertools import cycle
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from heed.attribution import (
    Method,
    Pair,
    Probe,
    attributions,
    log_probabilities,
    norm_weights,
    posteriors,
    product,
    saliency,
    shares,
)
from heed.errors import UserError
from heed.maps import Map, Words, link_words
from heed.metrics.alignment import Gold, alignment_scores
from heed.models.seq2seq import Seq2Seq
from heed.search.ensemble import Ensemble
from heed.text.subwords import train_pair
from heed.translator import Translator, load
from tests.support.constructed import SOURCE, TARGET, reversing
from tests.support.model_folder import SOURCES, TARGETS, write
from tests.support.models import BOS, EOS, KINDS, small_model
from tests.support.page import sized_bundle

METHODS = get_args(Method)
OTHERS = [method for method in METHODS if method != "attention"]


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    return load(write(tmp_path_factory.mktemp("model") / "model"), "cpu")


@pytest.mark.parametrize("method", METHODS)
def test_the_copied_word_has_all_the_weight(method: Method) -> None:
    """Catches rows that are shifted by a step, transposed maps, and the gradient or the removal of another word."""
    translator = reversing()
    [found] = translator.maps([translator.force(SOURCE, TARGET)], method)
    anti = torch.zeros(5, 5)
    anti[range(5), [3, 2, 1, 0, 4]] = 1
    torch.testing.assert_close(found.weights, anti, rtol=0, atol=1e-4)
    assert translator.align(SOURCE, TARGET, method=method) == [(0, 3), (1, 2), (2, 1), (3, 0)]


@pytest.mark.parametrize("method", METHODS)
def test_rows_that_are_shifted_by_one_score_worse(method: Method) -> None:
    """Catches a score that is the same for a map whose rows are shifted by one step."""
    translator = reversing()
    found = translator.maps([translator.force(SOURCE, TARGET)], method)
    links = frozenset(translator.align(SOURCE, TARGET))
    gold = [Gold(links, links)]
    assert alignment_scores(link_words(found), gold).aer == 0
    shifted = [Map(found[0].weights.roll(1, 0), found[0].src, found[0].tgt)]
    assert alignment_scores(link_words(shifted), gold).aer == 1


@pytest.mark.parametrize(("method", "level"), list(zip(OTHERS, cycle(["word", "piece"]), strict=False)))
def test_other_pairs_of_a_batch_change_nothing(translator: Translator, method: Method, level: str) -> None:
    """Catches padding that has weight, results in the order of batches, and noise that depends on the batch."""
    options = {"level": level, "noisy_copies": 2 if method == "saliency" else 0}
    pairs = translator.force(SOURCES, TARGETS)
    expected = translator.maps(pairs, method, **options)  # type: ignore[arg-type]
    for batch_size in (1, 3):
        again = translator.maps(pairs[::-1], method, **options, batch_size=batch_size)[::-1]  # type: ignore[arg-type]
        for one, other in zip(expected, again, strict=True):
            assert (one.src, one.tgt) == (other.src, other.tgt)
            torch.testing.assert_close(one.weights, other.weights, rtol=0, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_rows_of_maps_sum_to_one_for_free_and_forced_translations(translator: Translator, method: Method) -> None:
    """Catches free translations without a map, a cut translation with an extra row, and negative weights."""
    for translations in (translator.translate(SOURCES, max_len=4), translator.force(SOURCES, TARGETS)):
        for one, found in zip(translations, translator.maps(translations, method), strict=True):
            assert found.size == (len(one.source_words), len(one.words))
            assert (found.weights >= 0).all()
            totals = found.weights.sum(1)
            assert (((totals - 1).abs() < 1e-4) | (totals == 0)).all()
            if one.words:
                assert len(found.weights) == len(one.words) + one.finished


@pytest.mark.parametrize("method", METHODS)
def test_both_directions_are_merged_into_one_alignment(method: Method) -> None:
    """Catches a method that only one direction uses, and links whose sides are not swapped."""
    one, other = reversing(), reversing(back=True)
    anti = [(0, 3), (1, 2), (2, 1), (3, 0)]
    assert other.align(TARGET, SOURCE, method=method) == anti
    for symmetrisation in ("intersection", "union", "grow-diag-final-and", "agreement"):
        options: dict[str, Any] = dict(method=method, reverse=other, symmetrisation=symmetrisation)
        assert one.align(SOURCE, TARGET, **options) == anti


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("query", ["previous", "current", "conditional"])
def test_saliency_is_the_slope_of_the_probability(kind: str, query: str) -> None:
    """Catches gradients that the fast loops do not pass to the embeddings. Compares them with finite differences."""
    model = small_model(score=kind, query=query, sharp=2.0).double()
    pair = Pair.of([5, 9, 7], [4, 8], (Words(["a", "b", "c"], [0, 1, 2]), Words(["d", "e"], [0, 1])))
    found = saliency(model, [pair], [(0, word) for word in range(3)])
    step = 1e-6
    for position in range(4):
        scaled = (
            _with_embedding(model, pair.src[position], 1 + step),
            _with_embedding(model, pair.src[position], 1 - step),
        )
        probe = [Probe(0, frozenset(), 0, 3)]
        (up,), (down,) = (log_probabilities(one, [pair], probe) for one in scaled)
        slope = (up - down) / (2 * step)
        torch.testing.assert_close(
            torch.stack([row[position] for row in found]).double(), slope.double(), rtol=1e-4, atol=1e-5
        )


def test_layer_normalisation_leaves_nothing_of_saliency() -> None:
    """Holds what the documents say: the output does not depend on the length of an embedding."""
    pair = Pair.of([5, 9, 7], [4, 8], (Words(["a", "b", "c"], [0, 1, 2]), Words(["d", "e"], [0, 1])))
    plain, normed = (
        attributions(small_model(sharp=2.0, layer_norm=norm).double(), [pair], "saliency")[0].abs().max()
        for norm in (False, True)
    )
    assert normed < 1e-3 * plain


@pytest.mark.parametrize("norm", [False, True])
def test_saliency_of_a_model_with_layer_normalisation_is_warned_about(
    norm: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Catches links that are hardly better than chance, without a word about it."""
    translator = Translator(sized_bundle(*train_pair(SOURCES, TARGETS, "bpe", 40), layer_norm=norm), "float32")
    translator.maps([translator.force("a dog", "un chien")], "saliency")
    assert ["saliency says nothing" in record.getMessage() for record in caplog.records] == [True] * norm


def _with_embedding(model: Seq2Seq, word: int, factor: float) -> Seq2Seq:
    """A copy of the model whose embedding of a source word is multiplied by `factor`."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.encoder.embedding.weight[word] *= factor
    return other


def test_the_fast_loops_give_the_gradients_of_single_steps() -> None:
    """Catches derivatives with respect to the embeddings that differ from those of single steps."""
    model = small_model(sharp=2.0).double()
    src, tgt = torch.tensor([[5, 9, 7, 3]]), torch.tensor([[2, 4, 8]])
    emb = model.encoder.embed(src).detach()

    def gradient(states: Tensor) -> Tensor:
        return torch.autograd.grad(states.square().sum(), leaf)[0]

    leaf = emb.clone().requires_grad_()
    fast = gradient(model.decoder(tgt, *model.start(leaf, torch.tensor([4]))).readout)
    leaf = emb.clone().requires_grad_()
    encoded = model.encoder.run_packed(leaf, torch.tensor([4]))
    memory = model.decoder.attention.memory(encoded.states, encoded.states, torch.ones(1, 4, dtype=torch.bool))
    words = model.decoder.embed(tgt)
    steps = model.decoder.step_through(words, model.decoder.initial_state(encoded.summary, memory), memory)
    stepped = gradient(model.decoder.read_out(steps.top, steps.context, words))
    torch.testing.assert_close(fast, stepped, rtol=0, atol=1e-12)


def test_noisy_copies_change_the_saliency_reproducibly(translator: Translator) -> None:
    """Catches noise without noisy copies, missing noise with them, and noise that differs between calls."""
    pairs = [translator.force(SOURCES[3], TARGETS[3])]
    plain, again, noisy = (translator.maps(pairs, "saliency", noisy_copies=copies)[0].weights for copies in (0, 0, 3))
    assert plain.equal(again)
    assert not torch.allclose(plain, noisy)
    torch.testing.assert_close(noisy, translator.maps(pairs, "saliency", noisy_copies=3)[0].weights)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("query", "layers"), [("previous", 2), ("current", 2), ("conditional", 1)])
def test_the_posterior_follows_the_rule_of_bayes(kind: str, query: str, layers: int) -> None:
    """Catches the state of another step, a missing prior, and a step that also attends to other words."""
    model = small_model(score=kind, query=query, sharp=2.0, dec_layers=layers)
    src, tgt = [5, 9, 7, EOS], [4, 8, EOS]
    pair = Pair.of(src[:-1], tgt[:-1], (Words(["a", "b", "c"], [0, 1, 2]), Words(["d", "e"], [0, 1])))
    longer = Pair.of([6] * 7, [5] * 6, (Words(["a"], [0] * 7), Words(["b"], [0] * 6)))
    state, memory = model.encode(torch.tensor([src]), torch.tensor([len(src)]))
    expected = []
    for last, wanted in zip([BOS, *tgt], tgt, strict=False):
        token = torch.tensor([last])
        prior = model.decoder.step(token, state, memory)[2][0]
        weights = model.decoder.weigh(token, state, memory)
        joint = torch.zeros(len(src))
        for position in range(len(src)):
            alone = torch.zeros_like(weights)
            alone[0, position] = 1
            logits = model.decoder.step(token, state, memory, alone)[0][0]
            joint[position] = prior[position] * logits.softmax(0)[wanted]
        expected.append(joint / joint.sum())
        state = model.decoder.step(token, state, memory)[1]
    torch.testing.assert_close(posteriors(model, [longer, pair])[1], torch.stack(expected), rtol=0, atol=1e-5)


def test_all_members_of_an_ensemble_are_used() -> None:
    """Catches an ensemble of which only one member is used."""
    one, other = small_model(sharp=2.0), small_model(seed=8, sharp=2.0)
    pair = Pair.of([5, 9, 7], [4, 8], (Words(["a", "b"], [0, 1, 1]), Words(["d"], [0, 0])))
    for method in ("saliency", "difference"):
        alone, twice = (attributions(model, [pair], method)[0] for model in (one, Ensemble([one, one])))
        torch.testing.assert_close(alone, twice, rtol=0, atol=1e-5)
        assert not torch.allclose(alone, attributions(Ensemble([one, other]), [pair], method)[0])
    for weigh in (norm_weights, posteriors):
        torch.testing.assert_close(weigh(one, [pair])[0], weigh(Ensemble([one, one]), [pair])[0])
        assert not torch.allclose(weigh(one, [pair])[0], weigh(Ensemble([one, other]), [pair])[0])


def test_a_product_of_zeros_is_replaced_by_attention() -> None:
    """Catches words without a link if attention and difference disagree."""
    attention, difference = (
        torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]),
        torch.tensor([[0.0, 0.5, 0.5], [0.0, 0.0, 1]]),
    )
    assert product(attention, difference).tolist() == [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]


def test_shares_leave_out_words_that_lower_the_probability() -> None:
    """Catches negative weights in a map, and a row without positive values that becomes NaN."""
    found = shares(torch.tensor([[3.0, -1.0, 1.0], [-1.0, -2.0, 0.0]]))
    assert found.tolist() == [[0.75, 0.0, 0.25], [0.0, 0.0, 0.0]]


def test_a_negative_number_of_copies_is_refused(translator: Translator) -> None:
    """Catches a mean over no copies."""
    with pytest.raises(UserError, match="noisy_copies=-1, expected 0 or more"):
        translator.align(SOURCES[0], TARGETS[0], method="saliency", noisy_copies=-1)
