"""Scores of translations by sacreBLEU (Post 2018), which can be compared with published ones.

Every function takes plain sentences: cased, detokenised, one string each. sacreBLEU tokenises them and writes the
tokenisation into the signature. All arguments are keywords, because BLEU with swapped hypotheses and references is
wrong but plausible.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from heed.errors import UserError
from heed.metrics.languages import SPACELESS, script

Further = Sequence[Sequence[str | None]]
"""Additional references; each is a list with one for every sentence, or None if there is none."""


class Scores(NamedTuple):
    """Corpus scores from 0 to 100 (TER can exceed 100), and their signatures, which are needed to compare them."""

    bleu: float
    bleu_signature: str
    chrf: float
    chrf_signature: str
    ter: float
    """Translation edit rate in percent: lower is better, unlike the other two."""
    ter_signature: str


def translation_scores(*, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str = "") -> Scores:
    """Corpus BLEU, chrF and TER of the hypotheses against one reference each.

    The target language matters only if it is written without spaces between words (see SPACELESS).
    """
    check_pairs(hypotheses, references)
    values: list[float | str] = []
    for metric in (bleu_metric(tgt_lang), CHRF(), ter_metric(tgt_lang)):
        values.append(metric.corpus_score(hypotheses, [references]).score)
        values.append(str(metric.get_signature()))
    return Scores(*values)  # type: ignore[arg-type]


def bleu(*, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str = "") -> float:
    """Corpus BLEU from 0 to 100; the same number as in `translation_scores`, for validation during training."""
    check_pairs(hypotheses, references)
    return float(bleu_metric(tgt_lang).corpus_score(hypotheses, [references]).score)


def chrf(*, hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus chrF from 0 to 100, which distinguishes models even if BLEU is near zero."""
    check_pairs(hypotheses, references)
    return float(CHRF().corpus_score(hypotheses, [references]).score)


def sentence_bleu(*, hypothesis: str, reference: str, tgt_lang: str = "", further: Sequence[str | None] = ()) -> float:
    """BLEU of one sentence, for sorting sentences; its mean over a corpus is not corpus BLEU.

    `further` are additional references of the sentence.

    N-gram orders longer than the sentence are left out, otherwise a perfect three-word translation would score low.
    """
    references = [reference, *(other for other in further if other is not None)]
    return float(bleu_metric(tgt_lang, effective_order=True).sentence_score(hypothesis, references).score)


def bleu_metric(tgt_lang: str, effective_order: bool = False) -> BLEU:
    """The sacreBLEU metric with the tokenisation for the language (see SPACELESS).

    `force` suppresses sacreBLEU's warning about tokenised text at every validation; `heed.data.marks` warns once.
    """
    return BLEU(tokenize=SPACELESS.get(script(tgt_lang)), effective_order=effective_order, force=True)


def ter_metric(tgt_lang: str) -> TER:
    """The TER metric of sacreBLEU; of scripts without spaces, it supports only Chinese and Japanese."""
    east_asian = script(tgt_lang) in ("Hans", "Hant", "Hani", "Jpan", "Hira", "Kana")
    return TER(normalized=True, asian_support=True) if east_asian else TER()


def tokens_per_reference(references: Sequence[str], tgt_lang: str) -> float:
    """Mean number of tokens per reference, in BLEU's tokenisation."""
    tokenise = bleu_metric(tgt_lang).tokenizer
    return sum(len(tokenise(line).split()) for line in references) / max(len(references), 1)


def check_pairs(hypotheses: Sequence[str], references: Sequence[str | None]) -> None:
    """Raise UserError unless there is at least one hypothesis, and a reference for each."""
    if len(hypotheses) != len(references):
        raise UserError(
            f"{len(hypotheses)} hypotheses and {len(references)} references; "
            "expected one reference for each hypothesis, in the same order"
        )
    if not hypotheses:
        raise UserError("no sentences to score; expected at least one hypothesis with its reference")
