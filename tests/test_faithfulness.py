"""Faithfulness of models for which it is known whether words depend on attention."""

import math
from typing import Any

import pytest
import torch

from heed.attribution import Pair
from heed.bundle import Bundle
from heed.counterfactual import (
    CHANGES,
    COUNTERFACTUAL,
    Draws,
    counterfactuals,
    permuted,
    uniform,
    without,
    without_another,
)
from heed.errors import UserError
from heed.faithfulness import (
    counterfactual,
    erasure,
    function_words,
    maps_stability,
    measure,
    stability,
    unmoved,
)
from heed.maps import Map, Words
from heed.search.ensemble import Ensemble
from heed.translator import Translator, load
from tests.support.constructed import SCALE, SOURCE, STATE, TARGET, reversing, without_attention
from tests.support.model_folder import SOURCES, TARGETS, write
from tests.support.models import BOS, KINDS, sentences, small_model

PAIR = Pair.of([5, 9, 7], [4, 8, 6], (Words(["a", "b", "c"], [0, 1, 2]), Words(["d", "e"], [0, 1, 1])))


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    return load(write(tmp_path_factory.mktemp("model") / "model"), "cpu")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("query", ["previous", "current", "conditional"])
def test_a_model_that_ignores_attention_writes_the_same_with_any_attention(kind: str, query: str) -> None:
    """Catches changed weights that change more than the attention of their step."""
    [(_, found)] = [
        item for batch in counterfactuals(without_attention(kind, query), [PAIR], 8) for item in batch.items()
    ]
    assert found.same.shape == (len(CHANGES), 4)
    assert found.same.all()
    assert found.total_variation.max() < 1e-6
    assert found.divergence.max() < 1e-6


def test_a_model_that_copies_the_attended_word_writes_another_with_changed_weights() -> None:
    """Catches weights that are not replaced, a permutation that keeps the maximum, and words of other steps."""
    translator = reversing()
    pair = translator.force(SOURCE, TARGET)
    found = measure(translator, [pair])
    assert [found.preserved[name]["all"] for name in (*COUNTERFACTUAL, "any", "every")] == [0, 0, 0, 0, 0]
    assert found.preserved["control"]["all"] == 1
    assert found.words == {"all": 4, "function": 2, "content": 2, "sampled": 4}
    assert found.total_variation["control"] == pytest.approx(0, abs=1e-6)
    assert unmoved(pair, found.each[0]) == frozenset()


def test_removing_the_copied_word_lowers_its_probability_as_computed() -> None:
    """Catches removal of a wrong word, log-probabilities instead of probabilities, and reversed rankings."""
    translator = reversing()
    found = erasure(translator, [translator.force(SOURCE, TARGET)])
    size = len(translator.bundle.tgt)
    probability = math.exp(SCALE * STATE) / (math.exp(SCALE * STATE) + size - 1)
    for name in ("attention", "saliency", "difference"):
        assert found.comprehensiveness[name] == pytest.approx(probability - 1 / size, abs=1e-5)
        assert found.sufficiency[name] == pytest.approx(0, abs=1e-5)
    assert 0 < found.comprehensiveness["random"] < probability - 1 / size
    assert found.sufficiency["random"] > 0.1


def test_results_do_not_depend_on_other_translations_of_a_batch(translator: Translator) -> None:
    """Catches random numbers that depend on the batch, attention to padding, and results in the order of batches."""
    translations = translator.translate(SOURCES, max_len=6)
    expected = counterfactual(translator, translations)
    again = counterfactual(translator, translations[::-1], batch_size=4)[::-1]
    for one, other in zip(expected, again, strict=True):
        if one is None or other is None:
            assert one is other
            continue
        assert one.same.equal(other.same)
        torch.testing.assert_close(one.total_variation, other.total_variation, rtol=0, atol=1e-5)
        torch.testing.assert_close(one.divergence, other.divergence, rtol=0, atol=1e-5)
    whole, small = (measure(translator, translations, batch_size=size).report for size in (None, 1))
    for name in ("preserved", "comprehensiveness", "sufficiency"):
        assert _flat(whole[name]) == pytest.approx(_flat(small[name]), abs=1e-5)


def _flat(nested: dict[str, Any]) -> list[float]:
    values = [value for part in nested.values() for value in (part.values() if isinstance(part, dict) else [part])]
    return [value for value in values if value is not None]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("query", ["previous", "current", "conditional"])
def test_a_step_with_its_own_weights_does_not_change(kind: str, query: str) -> None:
    """Catches given weights that are not used as the attention of a step, in any head."""
    model = small_model(score=kind, query=query, sharp=2.0)
    src, src_len = sentences([5, 3])
    token = torch.tensor([BOS, 4])
    state, memory = model.encode(src, src_len)
    expected = model.step(token, state, memory)
    given = model.decoder.step(token, state, memory, model.decoder.weigh(token, state, memory))
    assert expected[0].equal(given[0])
    assert all(one.equal(other) for one, other in zip(expected[1], given[1], strict=True))
    assert expected[2].equal(given[2])


@pytest.mark.parametrize("heads", [0, 2])
def test_changed_weights_are_valid_weights(heads: int) -> None:
    """Catches padding with weight, rows that do not sum to 1, and a maximum that does not move."""
    mask = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    generator = torch.Generator().manual_seed(1)
    energies = torch.randn(2, 5, *[heads] * bool(heads), generator=generator)
    weights = energies.masked_fill(~mask if not heads else ~mask[:, :, None], -math.inf).softmax(1)
    top = (weights.mean(2) if heads else weights).argmax(1)
    for seed in range(20):
        draw = torch.Generator().manual_seed(seed)
        keys = torch.where(mask, torch.rand(2, 5, generator=draw), 2.0 + torch.arange(5))
        draws = Draws(keys, torch.rand(2, generator=draw))
        for change in (permuted, uniform, without_another):
            other = change(weights, mask, draws)
            torch.testing.assert_close(other.sum(1), torch.ones_like(other.sum(1)))
            assert (other[~mask] == 0).all()
        moved = permuted(weights, mask, draws)
        assert ((moved.mean(2) if heads else moved).argmax(1) != top).all()
        assert moved.sort(1).values.equal(weights.sort(1).values)
        assert (without_another(weights, mask, draws).gather(1, _at(top, weights)) > 0).all()
    assert (without(weights, mask, top).gather(1, _at(top, weights)) == 0).all()


def test_an_end_that_cannot_be_attended_to_gets_no_weight() -> None:
    """Catches a permutation that moves weight to </s>, to which this model cannot attend."""
    model = small_model(attend_end=False, sharp=2.0)
    src, src_len = sentences([5, 3])
    state, memory = model.encode(src, src_len)
    weights = model.decoder.weigh(torch.tensor([BOS, 4]), state, memory)
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        draws = Draws(torch.rand(2, 5, generator=generator), torch.rand(2, generator=generator))
        for change in (permuted, uniform, without_another):
            other = change(weights, memory.mask, draws)
            assert other[0, 4] == other[1, 2] == 0
            torch.testing.assert_close(other.sum(1), torch.ones(2))


def _at(index: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return index.view(-1, *[1] * (weights.dim() - 1)).expand(-1, 1, *weights.shape[2:])


def test_all_weight_on_one_word_is_shared_by_the_others() -> None:
    """Catches a division by zero if all attention is on one word."""
    weights, mask = torch.tensor([[0.0, 1.0, 0.0, 0.0]]), torch.tensor([[True, True, True, False]])
    assert without(weights, mask, torch.tensor([1])).tolist() == [[0.5, 0.0, 0.5, 0.0]]


def test_frequent_words_are_function_words() -> None:
    """Catches capitals and punctuation by which one word counts as two."""
    text = ["Le chat dort, le chien aussi.".split(), "le renard court".split()]
    assert function_words(text) == {"le", "chat", "dort"}
    assert function_words([]) == frozenset()


def test_runs_of_one_model_agree_and_permuted_maps_do_not(translator: Translator) -> None:
    """Catches a comparison of rows of different words, and a baseline that is not worse."""
    same = stability([translator, translator], SOURCES, TARGETS)
    assert same.divergence == pytest.approx(0, abs=1e-6)
    assert same.permuted > 0.001
    sharp, other = torch.eye(3), torch.eye(3).roll(1, 0)
    found = maps_stability([[Map(weights, ["a", "b"], ["c", "d"])] for weights in (sharp, other)])
    assert found.divergence == pytest.approx(math.log(2))
    with pytest.raises(UserError, match="1 run; give two or more runs"):
        stability([translator], SOURCES, TARGETS)


def test_several_models_as_one_are_refused() -> None:
    """Catches a measurement of one member that is reported for the ensemble."""
    one = reversing()
    members = Ensemble([one.bundle.model, one.bundle.model])
    both = Translator(Bundle(members, one.bundle.src, one.bundle.tgt, one.bundle.architecture, {}))
    with pytest.raises(UserError, match="faithfulness cannot be measured on an ensemble"):
        measure(both, [both.force(SOURCE, TARGET)])


def test_a_translation_without_words_is_measured_without_an_error(translator: Translator) -> None:
    """Catches a mean over no words."""
    found = measure(translator, translator.translate([""]))
    assert found.words["all"] == 0
    assert found.preserved["uniform"]["all"] is None
