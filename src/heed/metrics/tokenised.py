"""BLEU as papers on Multi30k report it: of lowercased text, tokenised by the scripts of Moses.

It cannot be compared with BLEU of plain, cased text. sacremoses is imported only when it is needed, because that takes
half a second.
"""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any, NamedTuple

from sacrebleu.metrics.bleu import BLEU

from heed.metrics.bleu import Further, check_pairs
from heed.metrics.languages import SPACELESS, language, script


class Tokenised(NamedTuple):
    """Corpus BLEU from 0 to 100 and its signature; or None and the reason, if the language is not `known`."""

    bleu_tokenised: float | None
    bleu_tokenised_signature: str


def tokenised_bleu(
    *, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str, further: Further = ()
) -> Tokenised:
    """BLEU after lowercasing, normalising punctuation and tokenising both sides, in this order, with Moses's rules.

    `further` are additional references.

    This is the order of the `lc.norm.tok` files of Multi30k (Elliott et al. 2016, 2017). The rest is sacreBLEU's
    default.
    """
    check_pairs(hypotheses, references)
    code, tool = language(tgt_lang), f"sacremoses {version('sacremoses')}"
    if code not in known():
        return Tokenised(None, f"left out: {tool} has no rules for the language {code or '(not given)'}")
    metric = BLEU(tokenize="none", lowercase=True, force=True)
    tokenised: Any = [moses(references, code), *(_moses_or_none(lines, code) for lines in further)]
    score = metric.corpus_score(moses(hypotheses, code), tokenised).score
    return Tokenised(float(score), f"{metric.get_signature()}, after {tool} lc, norm and tok for {code}")


@cache
def known() -> frozenset[str]:
    """Languages with rules in sacremoses, by code; for others it would silently use the rules of English."""
    from sacremoses.corpus import NonbreakingPrefixes  # noqa: PLC0415

    return frozenset(code for code in NonbreakingPrefixes().available_langs.values() if script(code) not in SPACELESS)


def moses(lines: Sequence[str], code: str) -> list[str]:
    """Lines as lowercased tokens separated by spaces; quotation marks and similar become `&quot;` and so on."""
    from sacremoses import MosesPunctNormalizer, MosesTokenizer  # noqa: PLC0415

    normalizer, tokenizer = MosesPunctNormalizer(lang=code), MosesTokenizer(lang=code)
    return [tokenizer.tokenize(normalizer.normalize(line.lower()), return_str=True) for line in lines]


def _moses_or_none(lines: Sequence[str | None], code: str) -> list[str | None]:
    """Apply `moses` to the lines that are not None."""
    made = iter(moses([line for line in lines if line is not None], code))
    return [None if line is None else next(made) for line in lines]
