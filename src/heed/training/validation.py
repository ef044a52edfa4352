"""What a validation computes: losses on the references, translations, alignments, and a few sentences to draw."""

import logging
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

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
from heed.training.processes import process_rank

log = logging.getLogger(__name__)


class Sentence(NamedTuple):
    """One validation sentence, translated; links and health are of the attention on its reference.

    Its two maps, of the reference and of the hypothesis, are there if it is one of those to draw.
    """

    number: int
    hypothesis: list[int]
    links: Links
    health: Health
    maps: tuple[Map, Map] | None


class Picture(NamedTuple):
    """A sentence to draw: where the model attended for the reference and for its own words, and the texts."""

    forced: Map
    free: Map
    source: str
    reference: str
    hypothesis: str


class Validation:
    """Collects one pass over the validation split.

    The loss is that of the reference words, each predicted from the reference words before it: perplexity is defined
    so, and it is no teacher forcing of training, which the translations here never see.

    `sentences` of the split, the first ones, are drawn. Every metric that is registered as `validated` is computed, and
    `metric`, which chooses the best model. UserError if no target line has a word, or if `metric` cannot be computed.
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
            raise UserError("every target line of the validation split is empty; give other files as corpus.valid")
        self.pairs, self.tgt, self.tgt_lang = pairs, tgt, tgt_lang
        self.pictured = sentences
        self.spaced = has_spaces(pairs.tgt)
        self.src_words = [line.by_word for line in read_lines(pairs.src, src, has_spaces(pairs.src))]
        self.tgt_words = [line.by_word for line in read_lines(pairs.tgt, tgt, self.spaced)]
        self.gold = None
        if pairs.gold is not None:
            lengths = ([len(one.words) for one in words] for words in (self.src_words, self.tgt_words))
            self.gold = read_gold(pairs.gold, zip(*lengths, strict=True), "gold alignment of the validation split")
        elif metric and metric.name == "aer":
            raise UserError("metric=aer needs word alignments of the validation split; put valid.align beside it")
        self.score_names = tuple(name for name, of in metrics().items() if of.validated or of == metric)
        """The metrics that are computed; alignment error, `aer`, only if there are gold alignments."""
        self.clear()

    def clear(self) -> None:
        """Remove everything that was added."""
        self.nll, self.tokens = 0.0, 0
        self.sentences: list[Sentence] = []

    @torch.no_grad()
    def add(self, model: Seq2Seq, batch: Batch) -> None:
        """Score and translate one batch."""
        if int(batch.index[0]) < 0:  # a stand-in, for a rank that was left without a sentence
            return
        logits, weights = model(batch.src, batch.src_len, batch.tgt[:, :-1])
        loss = cross_entropy(logits, batch.tgt[:, 1:], PAD)
        self.nll += float(loss.nll)
        self.tokens += int(loss.count)
        hypotheses = greedy(model, batch.src, batch.src_len, BOS, EOS)
        with torch.autocast("cpu", enabled=False):  # it is for the model, not for measures
            self._add_sentences(batch, hypotheses, self._forced(batch, weights))

    def _add_sentences(self, batch: Batch, hypotheses: Sequence[Hypothesis], forced: Sequence[Map]) -> None:
        for number, hypothesis, on_reference in zip(batch.index.tolist(), hypotheses, forced, strict=True):
            maps = None
            if number < self.pictured:
                written = written_line(hypothesis.ids, self.tgt, self.spaced).by_word
                maps = (on_reference, attention_map(hypothesis.attention, self.src_words[number], written))
            links, health = on_reference.links(), on_reference.health()
            self.sentences.append(Sentence(number, hypothesis.ids, links, health, maps))

    def _forced(self, batch: Batch, weights: Tensor) -> list[Map]:
        lengths = batch.src_len.tolist(), batch.tgt_len.tolist()
        rows = zip(weights.float().cpu(), batch.index.tolist(), *lengths, strict=True)
        return [
            attention_map(row[:tgt_len, :src_len], self.src_words[number], self.tgt_words[number])
            for row, number, src_len, tgt_len in rows
        ]

    def gather(self) -> None:
        """Put together the sentences of all ranks; nothing to do for a process alone."""
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return
        parts: list[tuple[float, int, list[Sentence]]] = [(0.0, 0, [])] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(parts, (self.nll, self.tokens, self.sentences))
        self.nll, self.tokens = math.fsum(part[0] for part in parts), sum(part[1] for part in parts)
        self.sentences = [sentence for part in parts for sentence in part[2]]

    def scores(self) -> dict[str, float]:
        """The scores of the whole split by the names of the metrics, the same on every rank."""
        self.gather()
        self.sentences.sort(key=lambda sentence: sentence.number)
        loss, aer = self.nll / self.tokens, self._aer()
        return {
            "loss": loss,
            "perplexity": math.exp(min(loss, 700.0)),  # exp of more than 709 is beyond a float
            **self._text_scores(),
            **({} if aer is None else {"aer": aer}),
        }

    def _text_scores(self) -> dict[str, float]:
        hypotheses = [self.tgt.decode(sentence.hypothesis) for sentence in self.sentences]
        references = [self.pairs.tgt[sentence.number] for sentence in self.sentences]
        if not any(text.strip() for text in hypotheses) and process_rank() == 0:
            log.warning("every translation of the validation split is empty: the model ends each of them at once")
        scores = text_scores(
            hypotheses=hypotheses, references=references, tgt_lang=self.tgt_lang, names=self.score_names
        )
        return {name: scored.value for name, scored in scores.items() if scored.value is not None}

    def _aer(self) -> float | None:
        if self.gold is None:
            return None
        links = [sentence.links for sentence in self.sentences]
        return alignment_scores(links, [self.gold[sentence.number] for sentence in self.sentences]).aer

    def health(self) -> Health:
        """How well formed attention is on the references, over the whole split, once `scores` has put it together."""
        return mean_health([sentence.health for sentence in self.sentences])

    def pictures(self) -> list[Picture]:
        """The fixed sentences: the first of the split, in its order."""
        return [
            Picture(
                *sentence.maps,
                source=self.pairs.src[sentence.number],
                reference=self.pairs.tgt[sentence.number],
                hypothesis=self.tgt.decode(sentence.hypothesis),
            )
            for sentence in self.sentences
            if sentence.maps
        ]
