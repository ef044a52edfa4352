"""Whether the words that a model writes depend on its attention.

import heed, heed.faithfulness
translator = heed.load("runs/tiny/model")
heed.faithfulness.measure(translator, translator.translate(["The black cat sleeps."])).preserved["uniform"]
"""

import math
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean, median
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from heed.attribution import ROWS, Pair, Probe, log_probabilities, saliency
from heed.counterfactual import (
    CHANGES,
    COUNTERFACTUAL,
    Counterfactual,
    counterfactuals,
    jensen_shannon,
    words_preserved,
)
from heed.errors import UserError
from heed.maps import Level, Map
from heed.models.seq2seq import Seq2Seq
from heed.onnx_model import OnnxModel
from heed.translation import Translation
from heed.translator import Translator, pair_of

BINS = (0.1, 0.2, 0.5)
"""Shares of the source words that are removed or kept; rounded up to whole words."""

ORDERS = ("attention", "saliency", "difference", "random")
"""The rankings of source words that are compared."""

LINES_PER_WORD, FEWEST, MOST = 5, 20, 200
"""One word per this many lines is sampled for erasure, which costs a hundred times as much as the other measures."""

FUNCTION_SHARE = 0.5
"""Function words are defined as the most frequent words that make up this share of a text."""

UNMOVED = "This word does not depend on its attention: other weights give the same word."


@dataclass(frozen=True)
class Faithfulness:
    """How far the words of translations depend on attention.

    Args:
        preserved: the share of words that stay the same, for `permuted`, `uniform` and `without_maximum` (Moradi et
            al. 2019, arXiv 1910.00139), for `any` and for `every` of these three, and for `control`, which sets a
            weight to zero that is not the largest (Serrano and Smith 2019, arXiv 1906.03731). Each for `all` words, for
            `function` words and for `content` words.
        total_variation: distance between the predictions with changed and with unchanged weights, averaged over the
            subwords; 0 to 1.
        divergence: the same as Jensen-Shannon divergence in nats, 0 to log 2.
        comprehensiveness: by how much a word's probability drops if the source words that rank highest for it are
            removed; for each ranking the mean over `BINS` (DeYoung et al. 2020, arXiv 1911.03429, section 4). A high
            value means that the ranking finds the source words that the word depends on.
        sufficiency: the same if only these words are kept. A low value means that they are enough.
        words: the numbers of words: `all`, `function`, `content`, and `sampled` for the last two measures.
        seconds: duration of the measurement.
        each: the results for every translation, by subwords.
    """

    preserved: Mapping[str, Mapping[str, float | None]]
    total_variation: Mapping[str, float]
    divergence: Mapping[str, float]
    comprehensiveness: Mapping[str, float]
    sufficiency: Mapping[str, float]
    words: Mapping[str, int]
    seconds: float
    each: Sequence[Counterfactual | None] = field(repr=False)

    @property
    def report(self) -> dict[str, Any]:
        """The values for report.json."""
        return {name: value for name, value in asdict(self).items() if name != "each"}


def measure(
    translator: Translator,
    translations: Sequence[Translation],
    *,
    text: Iterable[Sequence[str]] | None = None,
    sample: int | None = None,
    batch_size: int | None = None,
) -> Faithfulness:
    """Measure whether the words of translations depend on attention.

    Args:
        translator: the translator that wrote the translations.
        translations: results of `translate` or `force`. The measure compares the model's most probable word at each
            step, after the previous words of the translation.
        text: lines of words, from which frequent (function) words are found; None to use the translations.
        sample: the number of words for comprehensiveness and sufficiency; None for one per five lines, 20 to 200.
        batch_size: runs of the model that are computed together; None for 128. In float32, the results
            depend on it only in their last digits.

    Raises:
        UserError: the translator is an ensemble, in which each model has its own attention.

    Example:
        >>> import heed.faithfulness, heed.translator
        >>> translator = heed.translator.load("runs/tiny/model")
        >>> faithfulness = heed.faithfulness.measure(translator, [translator.translate("a dog barks", max_len=9)])
        >>> sorted(faithfulness.comprehensiveness)
        ['attention', 'difference', 'random', 'saliency']
    """
    started = time.perf_counter()
    effects = counterfactual(translator, translations, batch_size=batch_size)
    frequent = function_words([translation.words for translation in translations] if text is None else text)
    words = [
        word
        for translation, result in zip(translations, effects, strict=True)
        for word in _words(translation, result, frequent)
    ]
    erased = erasure(translator, translations, sample=sample, batch_size=batch_size)
    pieces = [result for result in effects if result is not None]
    return Faithfulness(
        preserved={name: _shares(words, name) for name in (*COUNTERFACTUAL, "any", "every", "control")},
        total_variation=_means([effect.total_variation for effect in pieces]),
        divergence=_means([effect.divergence for effect in pieces]),
        comprehensiveness=erased.comprehensiveness,
        sufficiency=erased.sufficiency,
        words={
            "all": len(words),
            "function": sum(word.function for word in words),
            "content": sum(not word.function for word in words),
            "sampled": erased.words,
        },
        seconds=time.perf_counter() - started,
        each=effects,
    )


def counterfactual(
    translator: Translator, translations: Sequence[Translation], *, batch_size: int | None = None
) -> list[Counterfactual | None]:
    """The effect of changed attention weights on each subword of each translation; None for an empty translation.

    Raises:
        UserError: the translator is an ensemble or an ONNX model.
    """
    model = translator.bundle.model
    if isinstance(model, OnnxModel):
        raise UserError("faithfulness cannot be measured on an ONNX model; give the model folder before export")
    if not isinstance(model, Seq2Seq):
        raise UserError("faithfulness cannot be measured on an ensemble; give one model folder")
    results: list[Counterfactual | None] = [None] * len(translations)
    pairs = [pair_of(translation)[0] for translation in translations]
    for batch in counterfactuals(model, pairs, batch_size or ROWS):
        for index, result in batch.items():
            results[index] = result
    return results


def unmoved(one: Translation, result: Counterfactual | None, level: Level = "word") -> frozenset[int]:
    """The words of a translation that stay the same under all three counterfactuals."""
    if result is None:
        return frozenset()
    word_index = one.tgt.divided(one.vocabularies[1], level).word_index
    every = words_preserved(result, word_index)["every"]
    return frozenset(word for word, stays in zip(sorted(set(word_index)), every, strict=True) if stays)


class _Word(NamedTuple):
    """Whether a word is a function word, and for each change of attention whether it stayed the same."""

    function: bool
    same: Mapping[str, bool]


def _words(one: Translation, result: Counterfactual | None, frequent: frozenset[str]) -> list[_Word]:
    if result is None:
        return []
    same = words_preserved(result, one.tgt.word_index)
    return [
        _Word(_plain(one.words[word]) in frequent, {name: stays[place] for name, stays in same.items()})
        for place, word in enumerate(sorted(set(one.tgt.word_index)))
    ]


def function_words(text: Iterable[Sequence[str]], share: float = FUNCTION_SHARE) -> frozenset[str]:
    """The most frequent words that make up `share` of a text, lower-cased, without punctuation at their ends."""
    counts = Counter(_plain(word) for line in text for word in line)
    chosen, running = set(), 0
    for word, count in counts.most_common():
        if running >= share * counts.total():
            break
        chosen.add(word)
        running += count
    return frozenset(chosen)


def _plain(word: str) -> str:
    return word.casefold().strip(".,;:!?…«»\"'()[] ") or word


def _shares(words: Sequence[_Word], name: str) -> dict[str, float | None]:
    """The share of words that stay the same; None if there is no word of that kind."""
    kinds = {
        "all": words,
        "function": [word for word in words if word.function],
        "content": [word for word in words if not word.function],
    }
    return {kind: fmean(word.same[name] for word in own) if own else None for kind, own in kinds.items()}


def _means(each: Sequence[Float[Tensor, "changes _"]]) -> dict[str, float]:
    """The mean over all subwords, for each change; 0 if there are no subwords."""
    pieces = torch.cat([torch.zeros(len(CHANGES), 0), *each], dim=1).double()
    means = pieces.sum(1) / max(1, pieces.size(1))
    return dict(zip(CHANGES, means.tolist(), strict=True))


class Erasure(NamedTuple):
    """Comprehensiveness and sufficiency for each ranking, and the number of words that they are averaged over."""

    comprehensiveness: Mapping[str, float]
    sufficiency: Mapping[str, float]
    words: int


def erasure(
    translator: Translator,
    translations: Sequence[Translation],
    *,
    sample: int | None = None,
    batch_size: int | None = None,
) -> Erasure:
    """Remove, or keep only, the source words that rank highest for a word of a translation.

    Removing a word sets the embeddings of its subwords to zero; its positions stay. `</s>` is never removed.

    Args:
        translator: the translator that wrote the translations.
        translations: results of `translate` or `force`.
        sample: the number of words, drawn the same way every time; None for one per five lines, 20 to 200.
        batch_size: runs of the model that are computed together; None for 128.
    """
    pairs = [pair_of(translation)[0] for translation in translations]
    asked = [
        (number, word)
        for number, (pair, one) in enumerate(zip(pairs, translations, strict=True))
        for word in range(len(one.words))
        if pair.span(word) and len(pair.src) > 1
    ]
    order = torch.randperm(len(asked), generator=torch.Generator().manual_seed(0)).tolist()
    if sample is None:
        sample = min(MOST, max(FEWEST, len(translations) // LINES_PER_WORD))
    asked = [asked[index] for index in sorted(order[:sample])]
    rankings = _rankings(translator, translations, pairs, asked, batch_size or ROWS)
    plans = {
        (name, index): _plan(pairs[number], word, number, ranking[name])
        for index, ((number, word), ranking) in enumerate(zip(asked, rankings, strict=True))
        for name in ORDERS
    }
    wholes = [Probe(number, frozenset(), *(pairs[number].span(word) or (0, 0))) for number, word in asked]
    probes = list(dict.fromkeys([*wholes, *(probe for plan in plans.values() for both in plan for probe in both)]))
    answers = log_probabilities(translator.bundle.model, pairs, probes, batch_size or ROWS)
    probability = {probe: math.exp(float(answer.sum())) for probe, answer in zip(probes, answers, strict=True)}

    def drop(name: str, part: int) -> float:
        drops = [
            fmean(probability[whole] - probability[both[part]] for both in plans[name, index])
            for index, whole in enumerate(wholes)
        ]
        return fmean(drops) if drops else 0.0

    return Erasure({name: drop(name, 0) for name in ORDERS}, {name: drop(name, 1) for name in ORDERS}, len(asked))


def _plan(pair: Pair, word: int, number: int, ranking: Sequence[int]) -> list[tuple[Probe, Probe]]:
    """For each bin, one run without the words that rank highest and one with only these words."""
    span = pair.span(word) or (0, 0)

    def without(words: Iterable[int]) -> Probe:
        return Probe(number, frozenset().union(*(pair.positions(word) for word in words)), *span)

    counts = [math.ceil(share * len(ranking)) for share in BINS]
    return [(without(ranking[:count]), without(ranking[count:])) for count in counts]


def _rankings(
    translator: Translator,
    translations: Sequence[Translation],
    pairs: Sequence[Pair],
    asked: Sequence[tuple[int, int]],
    rows: int,
) -> list[dict[str, list[int]]]:
    """For each requested word its source words, in each of the `ORDERS`, the most important first."""
    model = translator.bundle.model
    salient = saliency(model, pairs, asked, rows)
    drops = iter(_log_probabilities_without_each(translator, pairs, asked, rows))
    rankings = []
    for (number, word), gradient in zip(asked, salient, strict=True):
        pair, words = pairs[number], pairs[number].words[0] - 1
        generator = torch.Generator().manual_seed(zlib.crc32(str((pair.src, pair.tgt, word)).encode()))
        scores = {
            "attention": translations[number].map().weights[word, :words],
            "saliency": gradient[:words],
            "difference": -torch.tensor([next(drops) for _ in range(words)]),
            "random": torch.rand(words, generator=generator),
        }
        rankings.append({name: score.argsort(descending=True, stable=True).tolist() for name, score in scores.items()})
    return rankings


def _log_probabilities_without_each(
    translator: Translator, pairs: Sequence[Pair], asked: Sequence[tuple[int, int]], rows: int
) -> list[float]:
    """The log-probability of each requested word, without the first source word, without the second, and so on."""
    probes = [
        Probe(number, pairs[number].positions(source), *(pairs[number].span(word) or (0, 0)))
        for number, word in asked
        for source in range(pairs[number].words[0] - 1)
    ]
    return [float(answer.sum()) for answer in log_probabilities(translator.bundle.model, pairs, probes, rows)]


class Stability(NamedTuple):
    """Medians over the words of a text and over pairs of runs, in nats; from 0 (equal maps) to log 2."""

    divergence: float
    """Jensen-Shannon divergence between the attention of two runs for the same word."""
    permuted: float
    """The same with one of the two rows in random order, as a baseline for unrelated maps of this shape."""


def stability(
    translators: Sequence[Translator], sources: Sequence[str], targets: Sequence[str], **options: Any
) -> Stability:
    """How far the maps of runs that differ only in their seed agree (Wiegreffe and Pinter 2019, arXiv 1908.04626).

    Args:
        translators: two or more translators.
        sources: source lines.
        targets: their translations, which every model is forced to write.
        options: options of `Translator.force`.

    Raises:
        UserError: fewer than two translators.
    """
    return maps_stability(
        [
            [pair.map() for pair in translator.force(list(sources), list(targets), **options)]
            for translator in translators
        ]
    )


def maps_stability(runs: Sequence[Sequence[Map]]) -> Stability:
    """The `stability` of the maps of several runs of the same text."""
    if len(runs) < 2:
        raise UserError(f"{len(runs)} run; give two or more runs to compare their maps")
    generator = torch.Generator().manual_seed(0)
    divergences, permuted = [0.0] * 0, [0.0] * 0
    for one, other in ((runs[i], runs[j]) for j in range(len(runs)) for i in range(j)):
        for mine, others in zip(one, other, strict=True):
            a, b = (each.weights[: len(mine.tgt)].double() for each in (mine, others))
            present = a.any(1) & b.any(1)
            order = torch.rand(b.shape, generator=generator).argsort(1)
            divergences += jensen_shannon(a, b)[present].tolist()
            permuted += jensen_shannon(a, b.gather(1, order))[present].tolist()
    return Stability(median(divergences), median(permuted)) if divergences else Stability(0.0, 0.0)
