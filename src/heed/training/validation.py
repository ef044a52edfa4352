"""Validation: loss on the references, translations, alignments, and a few sentences for heatmaps."""

import logging
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from heed.attribution import Pair
from heed.copied import with_addresses
from heed.counterfactual import counterfactuals, words_preserved
from heed.data.batches import Batch
from heed.data.corpus import Pairs
from heed.errors import UserError
from heed.maps import Map, attention_map, has_spaces, read_gold, read_lines, written_line
from heed.metrics.alignment import Links, alignment_scores
from heed.metrics.attention import Health, mean_health
from heed.metrics.loss import cross_entropy
from heed.metrics.scores import Metric, metrics, text_scores
from heed.models.seq2seq import Seq2Seq
from heed.search.greedy import Hypothesis, greedy
from heed.text.subwords import BOS, EOS, PAD, Subwords
from heed.training.ranks import process_rank

SAMPLE = 50
"""The number of sentences for which `preserved` is measured."""

log = logging.getLogger(__name__)


class Sentence(NamedTuple):
    """One translated validation sentence; links and health are those of the attention on its reference.

    Its two maps, of the reference and of the hypothesis, are set only if it is one of the sentences to draw.
    """

    number: int
    ids: Sequence[int]
    hypothesis: str
    links: Links
    health: Health
    maps: tuple[Map, Map] | None


class Picture(NamedTuple):
    """A sentence to draw: its texts, and the attention for the reference and for the hypothesis."""

    forced: Map
    free: Map
    source: str
    reference: str
    hypothesis: str


class Validation:
    """Collects one pass over the validation split.

    The loss is that of the reference words, each predicted from the previous reference words, as perplexity is defined.
    The translations are not affected by teacher forcing.

    The first `sentences` of the split are drawn. All metrics registered as `validated` are computed, and `metric`,
    which chooses the best model.

    Raises:
        UserError: all target lines are empty, or `metric` cannot be computed.
    """

    def __init__(
        self,
        pairs: Pairs,
        src: Subwords,
        tgt: Subwords,
        sentences: int = 4,
        tgt_lang: str = "",
        metric: Metric | None = None,
    ) -> None:
        if not any(line.strip() for line in pairs.tgt):
            raise UserError("all target lines of the validation split are empty; give other files with corpus.valid")
        self.pairs, self.tgt, self.tgt_lang = pairs, tgt, tgt_lang
        self.pictured = sentences
        self.spaced = has_spaces(pairs.tgt)
        self.vocabularies = (src, tgt)
        self.sources = read_lines(pairs.src, src, has_spaces(pairs.src))
        self._sampled = {number: self.sources[number].ids for number in spread(len(self.sources), SAMPLE)}
        self.tgt_words = [line.by_word for line in read_lines(pairs.tgt, tgt, self.spaced)]
        self.gold = None
        if pairs.gold is not None:
            lengths = ([len(one.words) for one in lines] for lines in (self.sources, self.tgt_words))
            self.gold = read_gold(pairs.gold, zip(*lengths, strict=True), "gold alignment of the validation split")
        elif metric and metric.name == "aer":
            raise UserError(
                "metric=aer needs word alignments of the validation split; put them beside its text, in a file that "
                "has the name of corpus.valid and .align at its end"
            )
        self.score_names = tuple(name for name, of in metrics().items() if of.validated or of == metric)
        """The metrics that are computed; `aer` (alignment error rate) only if there are gold alignments."""
        self.clear()

    def clear(self) -> None:
        """Remove all batches."""
        self.nll, self.tokens = 0.0, 0
        self.sentences: list[Sentence] = []

    @torch.no_grad()
    def add(self, model: Seq2Seq, batch: Batch) -> None:
        """Score and translate one batch."""
        if int(batch.index[0]) < 0:  # a placeholder, for a rank without a sentence
            return
        logits, weights = model(batch.src, batch.src_len, batch.tgt[:, :-1])
        loss = cross_entropy(logits, batch.tgt[:, 1:], PAD)
        self.nll += float(loss.nll)
        self.tokens += int(loss.count)
        hypotheses = greedy(model, batch.src, batch.src_len, BOS, EOS)
        with torch.autocast("cpu", enabled=False):  # only the model needs it
            self._add_sentences(batch, hypotheses, self._forced(batch, weights))

    def _add_sentences(self, batch: Batch, hypotheses: Sequence[Hypothesis], forced: Sequence[Map]) -> None:
        for number, hypothesis, on_reference in zip(batch.index.tolist(), hypotheses, forced, strict=True):
            source, maps = self.sources[number], None
            written = written_line(hypothesis.ids, self.tgt, self.spaced)
            written = with_addresses(written, hypothesis.attention, source, self.vocabularies)
            if number < self.pictured:
                maps = (on_reference, attention_map(hypothesis.attention, source.by_word, written.by_word))
            links, health = on_reference.links(), on_reference.health()
            self.sentences.append(Sentence(number, hypothesis.ids, written.text, links, health, maps))

    def _forced(self, batch: Batch, weights: Tensor) -> list[Map]:
        lengths = batch.src_len.tolist(), batch.tgt_len.tolist()
        rows = zip(weights.float().cpu(), batch.index.tolist(), *lengths, strict=True)
        return [
            attention_map(row[:tgt_len, :src_len], self.sources[number].by_word, self.tgt_words[number])
            for row, number, src_len, tgt_len in rows
        ]

    def gather(self) -> None:
        """Collect the sentences of all ranks; does nothing for a single process."""
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return
        parts: list[tuple[float, int, list[Sentence]]] = [(0.0, 0, [])] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(parts, (self.nll, self.tokens, self.sentences))
        self.nll, self.tokens = math.fsum(part[0] for part in parts), sum(part[1] for part in parts)
        self.sentences = [sentence for part in parts for sentence in part[2]]

    def scores(self) -> dict[str, float]:
        """The scores of the whole split, by metric name; equal on all ranks."""
        self.gather()
        self.sentences.sort(key=lambda sentence: sentence.number)
        loss, aer = self.nll / self.tokens, self._aer()
        return {
            "loss": loss,
            "perplexity": math.exp(min(loss, 700.0)),  # exp overflows a float beyond 709
            **self._text_scores(),
            **({} if aer is None else {"aer": aer}),
        }

    def _text_scores(self) -> dict[str, float]:
        hypotheses = [sentence.hypothesis for sentence in self.sentences]
        numbers = [sentence.number for sentence in self.sentences]
        references = [self.pairs.tgt[number] for number in numbers]
        further = [[lines[number] for number in numbers] for lines in self.pairs.further]
        if not any(text.strip() for text in hypotheses) and process_rank() == 0:
            log.warning("all translations of the validation split are empty, because the model ends them at once")
        scores = text_scores(
            hypotheses=hypotheses,
            references=references,
            tgt_lang=self.tgt_lang,
            names=self.score_names,
            further=further,
        )
        return {name: scored.value for name, scored in scores.items() if scored.value is not None}

    def _aer(self) -> float | None:
        if self.gold is None:
            return None
        links = [sentence.links for sentence in self.sentences]
        return alignment_scores(links, [self.gold[sentence.number] for sentence in self.sentences]).aer

    def health(self) -> Health:
        """Measures of attention on the references, over the whole split; call `scores` first."""
        return mean_health([sentence.health for sentence in self.sentences])

    def preserved(self, model: Seq2Seq) -> dict[str, float]:
        """The share of words that do not depend on attention, in the translations of an evenly spaced sample.

        `any`: words that stay the same under at least one of `heed.counterfactual.COUNTERFACTUAL`; `every`: under all
        three. Empty if there are no words. It costs five decoder passes over the sample.
        """
        chosen = [sentence for sentence in self.sentences if sentence.number in self._sampled]
        written = [written_line(sentence.ids, self.tgt, self.spaced).by_word for sentence in chosen]
        pairs = [
            Pair.of(self._sampled[one.number], one.ids, (self.sources[one.number].by_word, words))
            for one, words in zip(chosen, written, strict=True)
        ]
        with torch.autocast("cpu", enabled=False):
            results = [item for batch in counterfactuals(model, pairs, SAMPLE) for item in batch.items()]
        same = [words_preserved(result, written[place].word_index) for place, result in results]
        stays = {name: [word for one in same for word in one[name]] for name in ("any", "every")}
        return {name: sum(words) / len(words) for name, words in stays.items() if words}

    def pictures(self) -> list[Picture]:
        """The sentences to draw: the first ones of the split, in order."""
        return [
            Picture(
                *sentence.maps,
                source=self.pairs.src[sentence.number],
                reference=self.pairs.tgt[sentence.number],
                hypothesis=sentence.hypothesis,
            )
            for sentence in self.sentences
            if sentence.maps
        ]


def spread(total: int, count: int) -> range:
    """At most `count` evenly spaced numbers below `total`."""
    return range(0, total, max(1, -(-total // count)))
