"""BLEU as papers on Multi30k report it: of lowercased words that the scripts of Moses have set apart.

It is another number than BLEU of plain, cased text: neither can be put beside the other.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

from sacrebleu.metrics.bleu import BLEU
from sacremoses import MosesPunctNormalizer, MosesTokenizer
from sacremoses.corpus import NonbreakingPrefixes

from heed.metrics.bleu import Further, check_pairs
from heed.metrics.languages import SPACELESS, language, script

KNOWN = frozenset(code for code in NonbreakingPrefixes().available_langs.values() if script(code) not in SPACELESS)
"""Languages that sacremoses has rules for, by code; to any other it would apply those of English without a word."""


class Tokenised(NamedTuple):
    """Corpus BLEU from 0 to 100 and how it was made; None, and why, where the language is not in KNOWN."""

    bleu_tokenised: float | None
    bleu_tokenised_signature: str


def tokenised_bleu(
    *, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str, further: Further = ()
) -> Tokenised:
    """BLEU of both sides lowercased, their punctuation normalised, and tokenised, in this order, with Moses's rules.

    `further` are other references.

    That is the order of the `lc.norm.tok` files of Multi30k (Elliott et al. 2016, 2017). Everything else is as
    sacreBLEU has it.
    """
    check_pairs(hypotheses, references)
    code, tool = language(tgt_lang), f"sacremoses {version('sacremoses')}"
    if code not in KNOWN:
        return Tokenised(None, f"left out: {tool} has no rules for the language {code or '(not named)'}")
    metric = BLEU(tokenize="none", lowercase=True, force=True)
    each: Any = [moses(references, code), *(_moses_or_none(lines, code) for lines in further)]
    score = metric.corpus_score(moses(hypotheses, code), each).score
    return Tokenised(float(score), f"{metric.get_signature()}, after {tool} lc, norm and tok for {code}")


def moses(lines: Sequence[str], code: str) -> list[str]:
    """Lines as lowercased words with a space between them; quotation marks and the like become `&quot;`."""
    normalizer, tokenizer = MosesPunctNormalizer(lang=code), MosesTokenizer(lang=code)
    return [tokenizer.tokenize(normalizer.normalize(line.lower()), return_str=True) for line in lines]


def _moses_or_none(lines: Sequence[str | None], code: str) -> list[str | None]:
    """The lines that are there as `moses` has them."""
    made = iter(moses([line for line in lines if line is not None], code))
    return [None if line is None else next(made) for line in lines]
