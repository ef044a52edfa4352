"""Evaluate a trained model on a split of a corpus: scores, translations and attention of every sentence.

import heed
evaluation = heed.evaluate(heed.load("runs/tiny/model"), split="test", search="beam")
evaluation.scores["bleu"]
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from heed.arguments import instance, several
from heed.data import marks
from heed.data.corpus import Corpus, Pairs
from heed.data.named import own_corpus
from heed.data.readers import read_corpus
from heed.data.text_files import further_references
from heed.errors import UserError
from heed.faithfulness import UNMOVED, Faithfulness, maps_stability, measure, unmoved
from heed.maps import Level, Line, Map, has_spaces, read_gold, unknown_note
from heed.metrics.alignment import Gold, alignment_scores, misfits
from heed.metrics.attention import Health, mean_health
from heed.metrics.bleu import Further, sentence_bleu
from heed.metrics.languages import language
from heed.metrics.scores import says_nothing, text_scores
from heed.metrics.significance import Comparison, paired_bootstrap
from heed.runs.evaluation_folder import (
    HEATMAPS,
    HYPOTHESES,
    evaluation_path,
    search_in,
    translations_in,
    write_gallery,
    write_scores,
    writing,
)
from heed.runs.report import over_runs, rows
from heed.search.registry import search as search_named
from heed.translation import Translation
from heed.translator import Progress, Translator, read_source, read_target
from heed.viz.gallery import Candidate, Entry, gallery


class SentenceScores(NamedTuple):
    """The scores of one sentence; NaN if they are undefined because it is empty."""

    bleu: float
    """BLEU of the translation, 0 to 100, as sacreBLEU scores a sentence; the mean over sentences is not corpus BLEU."""
    log_probability: float
    """Log-probability of the reference, in nats, over its subwords and `</s>`."""
    entropy: float
    """Entropy of the translation's attention, in nats, averaged over its words."""
    coverage: float
    """The share of the source words that at least one word of the translation attends to."""


@dataclass(frozen=True)
class Evaluation:
    """The evaluation of a model on a split. All lists are in the order of the split.

    Args:
        corpus: the name of the corpus.
        split: the name of the split.
        src_lang: the language of the sources.
        tgt_lang: the language of the references.
        search: the search and its settings, such as `beam(beam_size=5, length_penalty=1.0)`.
        scores: scores by their names in report.json: `bleu`, `chrf`, `ter`, `perplexity`, `aer` (None without gold
            alignments), and the signatures of scores that have one.
        translations: the translations of the sources, with all candidates of the search.
        forced: the references, forced as translations of their sources: log-probability and attention.
        gold: gold alignments of the references, if the corpus has them.
        attention: measures of attention on the references (`reference`) and on the translations (`hypothesis`).
        seconds: time spent on translating.
        versus: the comparison with another system, as in report.json, or None.
        further: additional references; each is a list with one translation for every sentence, or None if it has none.
        notes: warnings about the scores, one line each.
        faithfulness: whether the words of the translations depended on attention, if measured.
        seconds_in_all: time spent on everything except `faithfulness`.
    """

    corpus: str
    split: str
    src_lang: str
    tgt_lang: str
    search: str
    scores: Mapping[str, Any]
    translations: Sequence[Translation] = field(repr=False)
    forced: Sequence[Translation] = field(repr=False)
    gold: Sequence[Gold] | None = field(repr=False)
    attention: Mapping[str, Health] = field(repr=False)
    seconds: float = field(repr=False)
    versus: Mapping[str, Any] | None = None
    further: Further = field(default=(), repr=False)
    notes: Sequence[str] = ()
    faithfulness: Faithfulness | None = field(default=None, repr=False)
    seconds_in_all: float = field(default=0.0, repr=False)

    @property
    def sources(self) -> list[str]:
        """The source lines."""
        return [translation.source for translation in self.translations]

    @property
    def hypotheses(self) -> list[str]:
        """The best translation of each source."""
        return [translation.text for translation in self.translations]

    @property
    def references(self) -> list[str]:
        """The reference translations of the corpus."""
        return [translation.text for translation in self.forced]

    @cached_property
    def maps(self) -> list[Map]:
        """The attention between the words of each source and of its best translation."""
        return [translation.map() for translation in self.translations]

    @cached_property
    def sentences(self) -> list[SentenceScores]:
        """The scores of each sentence."""
        attention = [sentence_map.health() for sentence_map in self.maps]
        others = [[lines[number] for lines in self.further] for number in range(len(self.forced))]
        return [
            SentenceScores(
                bleu=_sentence_bleu(translation.text, reference.text, self.tgt_lang, further),
                log_probability=reference.score,
                entropy=health.entropy if health.tgt_len else math.nan,
                coverage=health.coverage if health.tgt_len else math.nan,
            )
            for translation, reference, health, further in zip(
                self.translations, self.forced, attention, others, strict=True
            )
        ]

    @property
    def report(self) -> dict[str, Any]:
        """The contents of report.json."""
        return {
            "corpus": self.corpus,
            "split": self.split,
            "sentences": len(self.translations),
            "search": self.search,
            **self.scores,
            "attention": {side: health._asdict() for side, health in self.attention.items()},
            "versus": self.versus,
            "notes": list(self.notes),
            "sentences_per_second": len(self.translations) / self.seconds,
            **self._faithfulness,
        }

    @property
    def _faithfulness(self) -> dict[str, Any]:
        if self.faithfulness is None:
            return {}
        times = self.faithfulness.seconds / self.seconds_in_all
        return {"faithfulness": {**self.faithfulness.report, "times_plain_evaluation": times}}


def evaluate(
    translator: Translator,
    corpus: Corpus | Mapping[str, Any] | str | None = None,
    split: str = "test",
    search: str = "greedy",
    *,
    n_best: int | None = None,
    batch_size: int | None = None,
    versus: str | Path | None = None,
    references: str | Path | Sequence[str | Path] = (),
    faithfulness: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> Evaluation:
    """Score a model on a split of a corpus. Nothing is written or printed; `write` writes the result to a folder.

    The search and the forced pass are in float32, whatever the translator's precision.

    Args:
        translator: the model.
        corpus: a `Corpus`; settings with the name of a `reader`; the name of a reader that needs no settings, such
            as `tiny` or `multi30k`; or None for the corpus that the model was trained on.
        split: `train`, `valid` or `test`.
        search: as for `Translator.translate`.
        n_best: the number of candidates for each sentence; None for as many as the search finds.
        batch_size: as for `Translator.translate` and `Translator.force`. In float32, translations
            do not depend on it, and scores only in their last digits.
        versus: another system that was evaluated on this split: its model folder, or a folder that `write` wrote. The
            difference is tested by paired bootstrap resampling.
        references: one or several files of additional reference translations, one line for each source. BLEU, chrF,
            TER and exact matches then use all references; an empty line means that there is no translation.
        faithfulness: also measure whether the words of the translations depended on attention
            (`heed.faithfulness.measure`); this takes several times as long.
        progress: called after each batch with the number of translated lines and of all lines.
        settings: settings of the search.

    Returns:
        The scores, the translations and references in the order of the text, and the report on them.

    Raises:
        UserError: the corpus, split or search does not exist, the text is in other languages than the model's, or gold
            alignments do not fit the text.

    Example:
        >>> import heed.evaluation, heed.translator
        >>> translator = heed.translator.load("runs/tiny/model")
        >>> evaluation = heed.evaluation.evaluate(translator, split="test", search="beam", max_len=9)
        >>> sorted(evaluation.scores)[:3], len(evaluation.hypotheses) == len(evaluation.references)
        (['aer', 'bleu', 'bleu_signature'], True)
    """
    began = time.perf_counter()
    instance("translator", translator, Translator, "as heed.load returns it")
    references = [references] if isinstance(references, str | Path) else several("references", references, "files")
    if versus is not None and not isinstance(versus, str | Path):
        raise UserError(f"versus={versus!r}: expected a model folder or the folder of an evaluation")
    named = search_named(search)
    described = named.describe(named.bind(settings, n_best))
    text = find_corpus(translator, corpus)
    _check_languages(translator, text)
    if split not in text.splits:
        raise UserError(f"corpus {text.name} has no {split} split; give split={' or '.join(text.splits)}")
    pairs = text.read(split)
    named_files = [str(Path(path).expanduser()) for path in references]
    further = [*pairs.further, *further_references(named_files, pairs.tgt)]
    others = _others(versus, split, None if corpus is None else text.name, pairs.tgt) if versus else None
    sources, targets = _lines(translator, pairs)
    gold = _gold(pairs, sources, targets, f"gold alignment of {text.name}, {split}")
    forced = translator.force_lines(sources, targets, batch_size=batch_size)
    started = time.perf_counter()
    translations = translator.search_lines(
        sources,
        search,
        settings,
        n_best=n_best,
        batch_size=batch_size,
        progress=progress,
        precision="float32",
        spaced=has_spaces(pairs.tgt),
    )
    seconds = time.perf_counter() - started
    hypotheses, maps = [translation.text for translation in translations], [translation.map() for translation in forced]
    scores = _text_scores(hypotheses, pairs.tgt, text.tgt_lang, further)
    evaluation = Evaluation(
        corpus=text.name,
        split=split,
        src_lang=text.src_lang,
        tgt_lang=text.tgt_lang,
        search=described,
        scores={
            **scores,
            "perplexity": perplexity(forced),
            "aer": None
            if gold is None
            else alignment_scores([sentence_map.links() for sentence_map in maps], gold).aer,
        },
        translations=translations,
        forced=forced,
        gold=gold,
        attention={
            "reference": mean_health([sentence_map.health() for sentence_map in maps]),
            "hypothesis": mean_health([translation.map().health() for translation in translations]),
        },
        seconds=seconds,
        versus=others and _versus(str(versus), others, hypotheses, pairs.tgt, text.tgt_lang, further),
        further=further,
        notes=[
            *_of_text(split, pairs),
            *unknown_note("source", sources),
            *unknown_note("target", targets),
            *says_nothing(scores, pairs.tgt, text.tgt_lang),
            *_of_ends(translations),
            *_of_gold(gold, sources, targets, f"gold alignment of {text.name}, {split}"),
        ],
    )
    if not faithfulness:
        return evaluation
    seconds = time.perf_counter() - began
    measured = measure(translator, translations, text=[line.words for line in targets])
    return replace(evaluation, faithfulness=measured, seconds_in_all=seconds)


def find_corpus(translator: Translator, corpus: Corpus | Mapping[str, Any] | str | None) -> Corpus:
    """The corpus for the argument `corpus` of `evaluate`.

    Raises:
        UserError: there is no such corpus.
    """
    if corpus is None:
        return own_corpus(translator.about, translator.folders[0] if translator.folders else Path())
    if isinstance(corpus, Corpus):
        return corpus
    if not isinstance(corpus, str | Mapping):
        raise UserError(f"corpus={corpus!r}: expected a Corpus, the name of a reader, or settings with reader=NAME")
    return read_corpus({"reader": corpus} if isinstance(corpus, str) else corpus)


def _of_text(split: str, pairs: Pairs) -> Iterator[str]:
    """Warnings about text that was tokenised or cut into subwords."""
    for side, lines in (("source", pairs.src), ("target", pairs.tgt)):
        yield from marks.notes(f"{split}: the {side}", lines, scored=side == "target")


def _of_ends(translations: Sequence[Translation]) -> Iterator[str]:
    """A note on translations that the model did not end; they may be too long for the limit, or repeat themselves."""
    if cut := sum(not translation.finished for translation in translations if translation.src.ids):
        yield (
            f"{cut:,} of {len(translations):,} translations were cut at the maximum length; if they are "
            "correct up to there, give a larger search.max_len"
        )


def _of_gold(gold: Sequence[Gold] | None, sources: Sequence[Line], targets: Sequence[Line], name: str) -> list[str]:
    """Warnings about gold alignments that do not fit the text."""
    if gold is None:
        return []
    sizes = [(len(src.words), len(tgt.words)) for src, tgt in zip(sources, targets, strict=True)]
    return [f"{name}: {note}" for note in misfits(gold, sizes)]


def _text_scores(
    hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str, further: Further
) -> dict[str, Any]:
    """Every score that is computed from texts, with its signature, by its name in report.json."""
    report: dict[str, Any] = {}
    scores = text_scores(hypotheses=hypotheses, references=references, tgt_lang=tgt_lang, further=further)
    for name, scored in scores.items():
        report |= {name: scored.value, f"{name}_signature": scored.signature}
    return report


def perplexity(forced: Sequence[Translation]) -> float:
    """Exp of the mean negative log-likelihood per reference subword, EOS included, without label smoothing."""
    mean = -math.fsum(translation.score for translation in forced) / sum(
        len(translation.tgt.ids) + 1 for translation in forced
    )
    return math.exp(min(mean, 700.0))  # exp overflows a float beyond 709


def over_seeds(evaluations: Mapping[int, Evaluation]) -> dict[str, Any]:
    """One report on runs that differ only in their seed: the report of each, their mean and standard deviation.

    If faithfulness was measured in all of them, it also has how far the maps of two seeds agree.

    Args:
        evaluations: evaluations by seed, of the same split with the same search.
    """
    runs = evaluations.values()
    report = over_runs(list(evaluations), [one.report for one in runs])
    if len(runs) > 1 and all(one.faithfulness for one in runs):
        report["stability"] = maps_stability([[pair.map() for pair in one.forced] for one in runs])._asdict()
    return report


def compare(one: Evaluation, other: Evaluation) -> dict[str, Comparison]:
    """Test whether one system is better than another on the same split, by paired bootstrap resampling.

    Returns:
        For BLEU and chrF: both values, their difference (positive if `one` is better), its 95 % interval over the
        resamples, and the p-value.

    Raises:
        UserError: the evaluations have different references.
    """
    if (one.references, one.further) != (other.references, other.further):
        raise UserError(
            f"evaluations of {one.corpus}, {one.split} and of {other.corpus}, {other.split} have different references; "
            "compare translations of the same text"
        )
    return paired_bootstrap(
        hypotheses=one.hypotheses,
        others=other.hypotheses,
        references=one.references,
        tgt_lang=one.tgt_lang,
        further=one.further,
    )


def write(
    evaluation: Evaluation,
    folder: Path,
    *,
    heatmaps: int = 12,
    format: Literal["png", "svg"] = "png",
    level: Level = "word",
    end: bool = False,
) -> None:
    """Write an evaluation to a folder: report.json, hypotheses.txt, references.txt, gallery.html and heatmaps.

    Scores are written first and replace those of an earlier evaluation. So all files of a folder belong to one
    evaluation, and no scores are lost if drawing takes too much memory or time.

    Args:
        evaluation: the evaluation to write.
        folder: the folder; created if needed.
        heatmaps: how many translations, from the first, get a heatmap.
        format: the file format of the heatmaps.
        level: the unit of rows and columns in heatmaps and gallery: "word", or "piece" for subwords.
        end: show `</s>` too.

    Raises:
        UserError: the folder cannot be written, or contains files that no evaluation has written.
    """
    with writing(folder):
        write_scores(folder, evaluation.hypotheses, evaluation.references, evaluation.report)
        write_gallery(folder, page(evaluation, level, end))
        _draw(folder / HEATMAPS, evaluation.translations[:heatmaps], format, level, end)


def page(evaluation: Evaluation, level: Level = "word", end: bool = False) -> str:
    """Every sentence with its attention, as one self-contained HTML page."""
    summary = {name: value for name, value in rows(evaluation.report).items() if name not in ("corpus", "speed")}
    title = f"{evaluation.corpus}, {evaluation.split}: {evaluation.src_lang} to {evaluation.tgt_lang}"
    entries = list(_entries(evaluation, level, end))
    return gallery(entries, title, summary, evaluation.src_lang, evaluation.tgt_lang)


def _entries(evaluation: Evaluation, level: Level, end: bool) -> Iterator[Entry]:
    sentences = zip(evaluation.translations, evaluation.forced, evaluation.sentences, strict=True)
    for number, (translation, reference, scores) in enumerate(sentences):
        forced = _listed(reference, level, end)
        best, *others = (_candidate(candidate, level, end) for candidate in translation.candidates)
        yield Entry(
            source=forced.src,
            reference=forced.tgt,
            candidates=[best._replace(notes=_notes(evaluation, number, level)), *others],
            bleu=scores.bleu,
            entropy=scores.entropy,
            coverage=scores.coverage,
            forced=forced.weights,
            gold=None if evaluation.gold is None or level == "piece" else evaluation.gold[number],
            source_text=translation.source,
            reference_text=reference.text,
            unknown=reference.src.unknown if level == "word" else frozenset(),
        )


def _notes(evaluation: Evaluation, number: int, level: Level) -> dict[int, str] | None:
    """Warnings about words of the best translation that do not depend on attention, if that was measured."""
    if evaluation.faithfulness is None:
        return None
    words = unmoved(evaluation.translations[number], evaluation.faithfulness.each[number], level)
    return dict.fromkeys(sorted(words), UNMOVED)


def _candidate(one: Translation, level: Level, end: bool) -> Candidate:
    listed = _listed(one, level, end)
    unknown = one.tgt.unknown if level == "word" else frozenset[int]()
    return Candidate(listed.tgt, one.score, listed.weights, one.text, unknown)


def _listed(one: Translation, level: Level, end: bool) -> Map:
    """The map with </s> among its words, or only as the last column."""
    whole = one.map(level)
    return whole.with_end() if end else whole._replace(weights=whole.weights[: len(whole.tgt)])


def _draw(folder: Path, translations: Sequence[Translation], format: str, level: Level, end: bool) -> None:
    """Attention of the translations as pictures, numbered like the lines of the split."""
    if not translations:
        return
    from heed.viz.heatmap import save  # noqa: PLC0415 - heatmaps are rarely asked for

    folder.mkdir(parents=True, exist_ok=True)
    for number, translation in enumerate(translations, start=1):
        save(translation.plot(end, level), folder / f"{number:04}.{format}")


def _lines(translator: Translator, pairs: Pairs) -> tuple[list[Line], list[Line]]:
    """Both sides of a split, each line encoded once, with the same rule for words on all lines of a side."""
    sources = read_source(pairs.src, translator.bundle.src, has_spaces(pairs.src))
    return sources, read_target(pairs.tgt, translator.bundle.tgt, has_spaces(pairs.tgt))


def _gold(pairs: Pairs, sources: Sequence[Line], targets: Sequence[Line], name: str) -> list[Gold] | None:
    if pairs.gold is None:
        return None
    sizes = ((len(src.words), len(tgt.words)) for src, tgt in zip(sources, targets, strict=True))
    return read_gold(pairs.gold, sizes, name)


def _check_languages(translator: Translator, corpus: Corpus) -> None:
    """Raise UserError if the model is known to be for other languages, because its scores would mean nothing."""
    known = [translator.src_lang, translator.tgt_lang]
    given = [corpus.src_lang, corpus.tgt_lang]
    if all(known) and [*map(language, known)] != [*map(language, given)]:
        folder = translator.folders[0] if translator.folders else ""
        raise UserError(
            f"model={folder} translates {known[0]} to {known[1]}, and corpus {corpus.name} is {corpus.src_lang} to "
            f"{corpus.tgt_lang}; choose text of its languages, or another model=DIR"
        )


class _Others(NamedTuple):
    """The translations of this split by another system, and its search, if known."""

    texts: list[str]
    search: str | None


def _others(versus: str | Path, split: str, corpus: str | None, references: Sequence[str]) -> _Others:
    """Read another system's translations from its evaluation folder, or from the one beside its model folder."""
    folder = Path(versus)
    place = folder if (folder / HYPOTHESES).is_file() else evaluation_path(folder, split, corpus)
    return _Others(translations_in(place, references, f"versus={versus}"), search_in(place))


def _versus(
    folder: str,
    others: _Others,
    hypotheses: Sequence[str],
    references: Sequence[str],
    tgt_lang: str,
    further: Further,
) -> dict[str, Any]:
    compared = paired_bootstrap(
        hypotheses=hypotheses, others=others.texts, references=references, tgt_lang=tgt_lang, further=further
    )
    return {"folder": folder, "search": others.search, **{name: one._asdict() for name, one in compared.items()}}


def _sentence_bleu(hypothesis: str, reference: str, tgt_lang: str, further: Sequence[str | None]) -> float:
    if not reference:
        return math.nan
    return sentence_bleu(hypothesis=hypothesis, reference=reference, tgt_lang=tgt_lang, further=further)
