"""The metrics of translations, registered by name.

A registered metric appears in validation, TensorBoard, the progress line, the history of a run, report.json and the
printed tables. To add one from outside the package:

    from heed.metrics.scores import Metric, Scored, register

    def length_ratio(*, hypotheses, references, tgt_lang):
        return Scored(sum(map(len, hypotheses)) / sum(map(len, references)), "characters")

    register(Metric("length", "length", ".3f", higher_is_better=True, validated=True, compute=length_ratio))
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from sacrebleu.metrics.base import Metric as SacreMetric
from sacrebleu.metrics.chrf import CHRF

from heed import extensions
from heed.errors import UserError
from heed.metrics.bleu import Further, bleu_metric, check_pairs, ter_metric, tokens_per_reference
from heed.metrics.tokenised import tokenised_bleu

FOUR_WORDS = 4.0
"""The smallest mean number of tokens per reference for which BLEU, which counts runs of four, is meaningful."""

ZERO = 0.005
"""Smaller values are shown as 0 with two digits."""

log = logging.getLogger(__name__)


class Scored(NamedTuple):
    """The value of a metric on a whole corpus, and its signature, which says how it was computed.

    The value is None if the metric cannot be computed for the language; the signature then says why.
    """

    value: float | None
    signature: str


@runtime_checkable
class Compute(Protocol):
    """A function that scores hypotheses of a corpus with one reference each; sentences are cased and detokenised."""

    def __call__(self, *, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str) -> Scored: ...


@runtime_checkable
class ComputeFurther(Protocol):
    """The same with several references each; `further` are the additional ones."""

    def __call__(
        self, *, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str, further: Further
    ) -> Scored: ...


@dataclass(frozen=True)
class Metric:
    """A metric and how its value is shown."""

    name: str
    """Its name in report.json, in TensorBoard (`valid/NAME`) and in the setting `metric=NAME`."""
    title: str
    """Its name in tables."""
    format: str
    """Format specification of its value in tables, such as `.2f`."""
    higher_is_better: bool
    validated: bool = False
    """Whether every validation computes it; the metric that chooses the best model is always computed."""
    compute: Compute | None = None
    """The function that computes it from texts; None if it needs the model: loss, perplexity, alignment error."""
    compute_further: ComputeFurther | None = None
    """The function that computes it with several references each; None if it supports only one."""

    def order(self, value: int | float) -> float:
        """A number that is larger for a better value."""
        return float(value) if self.higher_is_better else -float(value)


_metrics: dict[str, Metric] = {}


def register(metric: Metric) -> None:
    """Register a metric. Raise ValueError if another metric has its name."""
    if _metrics.setdefault(metric.name, metric) != metric:
        raise ValueError(f"a metric named {metric.name} is already registered; give it another name")


def metric(name: str) -> Metric:
    """The metric with this name. Raise UserError, which lists the names, if there is none."""
    known = metrics()
    if name not in known:
        raise UserError(f"metric={name}: expected auto or one of {', '.join(known)}")
    return known[name]


def metrics() -> dict[str, Metric]:
    """All metrics by name, including those of installed extensions; those computed from texts come first."""
    extensions.load()
    return dict(sorted(_metrics.items(), key=lambda item: item[1].compute is None))


def shown_scores() -> dict[str, tuple[str, str]]:
    """Name in report.json -> title and format, for every metric of an evaluation, in the order of the tables."""
    return {name: (of.title, of.format) for name, of in metrics().items() if name != "loss"}


def signed_scores() -> list[str]:
    """Names of the metrics that have a signature, `NAME_signature`, in report.json."""
    return [name for name, of in metrics().items() if of.compute]


def text_scores(
    *,
    hypotheses: Sequence[str],
    references: Sequence[str],
    tgt_lang: str = "",
    names: Iterable[str] | None = None,
    further: Further = (),
) -> dict[str, Scored]:
    """Value and signature of the metrics `names`, or of all that are computed from texts.

    Args:
        hypotheses: the translations.
        references: one reference for each hypothesis.
        tgt_lang: the target language, by which text is tokenised; may be empty.
        names: names of metrics; None for all that are computed from texts.
        further: additional references of every hypothesis; a metric that supports only one ignores them.

    Raises:
        UserError: the numbers of hypotheses and references differ, or are 0.
    """
    for each in (references, *further):
        check_pairs(hypotheses, each)
    chosen = map(metric, signed_scores() if names is None else names)
    return {one.name: _scored(one, hypotheses, references, tgt_lang, further) for one in chosen if one.compute}


def _scored(
    one: Metric, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str, further: Further
) -> Scored:
    if further and one.compute_further:
        return one.compute_further(hypotheses=hypotheses, references=references, tgt_lang=tgt_lang, further=further)
    assert one.compute is not None
    return one.compute(hypotheses=hypotheses, references=references, tgt_lang=tgt_lang)


def choose(name: str, references: Sequence[str], tgt_lang: str = "") -> Metric:
    """The metric that chooses the best model: the one called `name`, or for `auto` BLEU or chrF.

    BLEU counts runs of four tokens. If references have fewer on average (targets of one word, or text without spaces
    whose language is not given), `auto` is chrF.
    """
    mean = tokens_per_reference(references, tgt_lang)
    if name == "auto":
        return metric("bleu" if mean >= FOUR_WORDS else "chrf")
    if name == "bleu" and mean < FOUR_WORDS:
        log.warning(
            "metric=bleu counts runs of four words, but references have %.1f words on average, so it may stay at 0. "
            "Give metric=chrf, or check the target language %s",
            mean,
            tgt_lang or "(not given)",
        )
    return metric(name)


def says_nothing(found: Mapping[str, Any], references: Sequence[str], tgt_lang: str = "") -> list[str]:
    """A note on a BLEU of 0: either references are too short for BLEU, or nothing is right.

    `found` are the values of the metrics by name.
    """
    if found.get("bleu") is None or found["bleu"] >= ZERO:
        return []
    mean = tokens_per_reference(references, tgt_lang)
    why = f"BLEU is {found['bleu']:.2f}"
    if mean < FOUR_WORDS:
        language = f"as it tokenises {tgt_lang}" if tgt_lang else "and the target language is not given"
        return [
            f"{why} because it counts runs of four words, but references have {mean:.1f} on average, {language}; "
            "use chrF and the share of exact matches instead"
        ]
    return [f"{why}: no translation shares four consecutive words with its reference; check the languages of the text"]


def rank(chosen: Metric, scores: Mapping[str, int | float]) -> tuple[float, ...]:
    """The sort key of scores, larger for better ones: the chosen metric; if equal chrF, then the loss."""
    ties = (metric("chrf"), metric("loss"))
    return tuple(each.order(scores[each.name]) for each in (chosen, *ties) if each.name in scores)


def _with_signature(
    scorer: SacreMetric, hypotheses: Sequence[str], references: Sequence[str], further: Further
) -> Scored:
    several: Any = [references, *further]  # sacreBLEU accepts None too, although its annotation does not
    value = float(scorer.corpus_score(hypotheses, several).score)
    return Scored(value, str(scorer.get_signature()))


def _bleu(*, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str, further: Further = ()) -> Scored:
    return _with_signature(bleu_metric(tgt_lang), hypotheses, references, further)


def _bleu_tokenised(
    *, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str, further: Further = ()
) -> Scored:
    return Scored(*tokenised_bleu(hypotheses=hypotheses, references=references, tgt_lang=tgt_lang, further=further))


def _chrf(*, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str, further: Further = ()) -> Scored:
    return _with_signature(CHRF(), hypotheses, references, further)


def _ter(*, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str, further: Further = ()) -> Scored:
    return _with_signature(ter_metric(tgt_lang), hypotheses, references, further)


def _exact(*, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str, further: Further = ()) -> Scored:
    """Percent of the hypotheses that equal one of their references, ignoring white space at the ends."""
    all_references = zip(references, *further, strict=True)
    equal = sum(
        hypothesis.strip() in [other.strip() for other in others if other is not None]
        for hypothesis, others in zip(hypotheses, all_references, strict=True)
    )
    count = "var" if any(None in lines for lines in further) else 1 + len(further)
    return Scored(100 * equal / len(references), f"nrefs:{count}|case:mixed|space:stripped")


@runtime_checkable
class _Computes(Protocol):
    """A `Compute` and a `ComputeFurther` in one."""

    def __call__(
        self, *, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str, further: Further = ()
    ) -> Scored: ...


def _of_texts(
    name: str, title: str, compute: _Computes, higher_is_better: bool = True, validated: bool = False
) -> Metric:
    return Metric(name, title, ".2f", higher_is_better, validated, compute, compute)


for built_in in (
    _of_texts("bleu", "BLEU", _bleu, validated=True),
    _of_texts("bleu_tokenised", "tokenised BLEU", _bleu_tokenised),
    _of_texts("chrf", "chrF", _chrf, validated=True),
    _of_texts("ter", "TER", _ter, higher_is_better=False),
    _of_texts("exact", "exact", _exact),
    Metric("loss", "loss", ".3f", higher_is_better=False, validated=True),
    Metric("perplexity", "perplexity", ".4g", higher_is_better=False, validated=True),
    Metric("aer", "AER", ".3f", higher_is_better=False, validated=True),
):
    register(built_in)
