"""Word alignments: reading them, taking them from attention, and scoring them against gold ones."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from heed.errors import UserError

Links = frozenset[tuple[int, int]]
"""Pairs (source word, target word), both counted from 0."""

_LINK = re.compile(r"(\d+)([-?p])(\d+)", re.ASCII)


class Gold(NamedTuple):
    """Links that an alignment must have, and those that it may have; the second include the first."""

    sure: Links
    possible: Links


def read_pharaoh(line: str) -> Gold:
    """The links of one line such as "0-0 1-2 2?1": `-` for sure, `?` or `p` for possible."""
    sure, possible = set(), set()
    for token in line.split():
        match = _LINK.fullmatch(token)
        if match is None:
            raise UserError(f"alignment link {token!r}; expected SOURCE-TARGET or SOURCE?TARGET, such as 0-0 or 2?1")
        link = (int(match[1]), int(match[3]))
        possible.add(link)
        if match[2] == "-":
            sure.add(link)
    return Gold(frozenset(sure), frozenset(possible))


def write_pharaoh(links: Links) -> str:
    """One line of sorted `source-target` links; empty for no links."""
    return " ".join(f"{src}-{tgt}" for src, tgt in sorted(links))


def merge_words(
    weights: Float[Tensor, "tgt src"], src_words: Sequence[int], tgt_words: Sequence[int]
) -> Float[Tensor, "tgt_words src_words"]:
    """Attention between pieces as attention between words; the arguments give the word of every piece.

    Columns of one source word are summed and rows of one target word averaged, so that a row's sum stays what it was
    (Zenkel et al. 2019 merge so). The row and column of </s> belong to no word: the caller drops them first.
    """
    if weights.shape != (len(tgt_words), len(src_words)):
        raise ValueError(
            f"weights of shape {tuple(weights.shape)} for {len(tgt_words)} target and {len(src_words)} source pieces; "
            "expected one row and one column a piece, without those of </s>"
        )
    rows, columns = _membership(tgt_words).to(weights), _membership(src_words).to(weights)
    return (rows / rows.sum(dim=1, keepdim=True)) @ weights @ columns.T


def _membership(words: Sequence[int]) -> Float[Tensor, "words pieces"]:
    count = max(words, default=-1) + 1
    if set(words) != set(range(count)):
        raise ValueError(f"words {sorted(set(words))} of the pieces; expected every number from 0 to the largest")
    return (torch.arange(count)[:, None] == torch.tensor(words, dtype=torch.long)).float()


def argmax_links(weights: Float[Tensor, "tgt src"]) -> Links:
    """Each target word linked to the source word that it attends to most; the first of equals."""
    if weights.numel() == 0:
        return frozenset()
    return frozenset((src, tgt) for tgt, src in enumerate(weights.argmax(dim=1).tolist()))


class AlignmentScores(NamedTuple):
    """Fractions from 0 to 1; the alignment error rate is the one where lower is better."""

    precision: float
    recall: float
    f1: float
    aer: float


def alignment_scores(links: Sequence[Links], gold: Sequence[Gold]) -> AlignmentScores:
    """Precision against possible links, recall of sure ones, and AER over a corpus (Och & Ney 2003, section 6).

    Counts are summed over the sentences and divided once. A share of nothing counts as perfect: no link proposed is
    precision 1, no sure link to find is recall 1.
    """
    if len(links) != len(gold):
        raise UserError(f"{len(links)} alignments against {len(gold)} gold ones; expected one a sentence in both")
    proposed = sum(map(len, links))
    sure = sum(len(g.sure) for g in gold)
    hits_sure = sum(len(a & g.sure) for a, g in zip(links, gold, strict=True))
    hits_possible = sum(len(a & (g.possible | g.sure)) for a, g in zip(links, gold, strict=True))
    precision, recall = _share(hits_possible, proposed), _share(hits_sure, sure)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return AlignmentScores(precision, recall, f1, 1.0 - _share(hits_sure + hits_possible, proposed + sure))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
