"""Word alignments: read and write them, derive them from attention, and score them against gold alignments."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from heed.errors import UserError

Link = tuple[int, int]
"""Indices of a source word and a target word, from 0."""
Links = frozenset[Link]

_LINK = re.compile(r"(\d+)([-?p])(\d+)", re.ASCII)


class Gold(NamedTuple):
    """Sure links, which an alignment must have, and possible links, which it may have; these include the sure ones."""

    sure: Links
    possible: Links


def read_pharaoh(line: str) -> Gold:
    """Parse the links of a line such as "0-0 1-2 2?1": `-` for sure, `?` or `p` for possible links.

    Raises:
        UserError: a token is not a link.

    Example:
        >>> read_pharaoh("0-0 1?1").sure == {(0, 0)}
        True
    """
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


def check_within(links: Links, src_len: int, tgt_len: int) -> None:
    """Raise UserError for a link to a word that does not exist, for example because words are counted from 1."""
    outside = sorted(link for link in links if link[0] >= src_len or link[1] >= tgt_len)
    if outside:
        raise UserError(
            f"alignment link {outside[0][0]}-{outside[0][1]} in a pair of {src_len} source and {tgt_len} target words; "
            "expected word numbers from 0, source first"
        )


ENOUGH = 20
"""The smallest number of sentence pairs with links for which `misfits` gives warnings."""


def misfits(gold: Sequence[Gold], sizes: Sequence[tuple[int, int]]) -> list[str]:
    """Warnings, one line each, that gold alignments seem to count words differently.

    `sizes` are the numbers of source and target words of each pair. In correct alignments, some first words and most
    last words are linked.
    """
    pairs = [(alignment.possible, size) for alignment, size in zip(gold, sizes, strict=True) if alignment.possible]
    if len(pairs) < ENOUGH:
        return []
    if not any(0 in link for links, _ in pairs for link in links):
        return [f"no link in {len(pairs):,} lines is to word 0; words seem to be counted from 1, expected from 0"]
    return [note for side, name in enumerate(("source", "target")) if (note := _unlinked_ends(pairs, side, name))]


def _unlinked_ends(pairs: Sequence[tuple[Links, tuple[int, int]]], side: int, name: str) -> str:
    linked = sum(size[side] - 1 in {link[side] for link in links} for links, size in pairs)
    if linked > len(pairs) / 4:
        return ""
    return (
        f"the last {name} word is linked in {linked:,} of {len(pairs):,} lines; its text seems to be tokenised "
        "differently"
    )


def write_pharaoh(links: Links) -> str:
    """Format links as one line of sorted `source-target` pairs; empty if there are no links."""
    return " ".join(f"{src}-{tgt}" for src, tgt in sorted(links))


def write_weights(path: Path, sentences: Iterable[Float[Tensor, "_ _"]]) -> None:
    """Write soft alignments to a compressed .npz file: array "0" is that of the first line; rows are target words."""
    arrays: dict[str, Any] = {str(line): weights.float().cpu().numpy() for line, weights in enumerate(sentences)}
    with path.open("wb") as file:  # numpy appends .npz to names, but not to open files
        np.savez_compressed(file, **arrays)


def merge_words(
    weights: Float[Tensor, "tgt src"], src_words: Sequence[int], tgt_words: Sequence[int]
) -> Float[Tensor, "tgt_words src_words"]:
    """Convert attention between subwords to attention between words; the arguments give the word of every subword.

    Columns of a source word are summed and rows of a target word averaged, so that the sums of rows do not change
    (Koehn & Knowles 2017). The caller drops the row and column of </s>, or gives </s> its own word.

    Raises:
        ValueError: the weights do not fit the words, or a word has no subword.
    """
    if weights.shape != (len(tgt_words), len(src_words)):
        raise ValueError(
            f"weights of shape {tuple(weights.shape)} for {len(tgt_words)} target, {len(src_words)} source subwords; "
            "expected a word for every row and every column, or the row and column of </s> dropped"
        )
    rows, columns = _membership(tgt_words).to(weights), _membership(src_words).to(weights)
    return (rows / rows.sum(dim=1, keepdim=True)) @ weights @ columns.T


def _membership(words: Sequence[int]) -> Float[Tensor, "words pieces"]:
    count = max(words, default=-1) + 1
    if set(words) != set(range(count)):
        raise ValueError(f"words {sorted(set(words))} of the subwords; expected every number from 0 to the largest")
    return (torch.arange(count)[:, None] == torch.tensor(words, dtype=torch.long)).float()


def argmax_links(weights: Float[Tensor, "tgt src"]) -> Links:
    """Link each target word to the source word that it attends to most, or to the first of equal ones."""
    if weights.numel() == 0:
        return frozenset()
    return frozenset((src, tgt) for tgt, src in enumerate(weights.argmax(dim=1).tolist()))


def threshold_links(weights: Float[Tensor, "tgt src"], threshold: float) -> Links:
    """Link all pairs of words with at least this weight; a target word can have none, one or several links.

    Raises:
        UserError: the threshold is not above 0 and at most 1.
    """
    if not 0.0 < threshold <= 1.0:
        raise UserError(f"threshold of {threshold} for links; expected 0 < threshold <= 1, such as 0.3")
    return frozenset((src, tgt) for tgt, src in (weights >= threshold).nonzero().tolist())


class AlignmentScores(NamedTuple):
    """Fractions from 0 to 1; higher is better, except for the alignment error rate."""

    precision: float
    recall: float
    f1: float
    aer: float


def alignment_scores(links: Sequence[Links], gold: Sequence[Gold]) -> AlignmentScores:
    """Precision against possible links, recall of sure ones, their harmonic mean, and AER (Och & Ney 2003).

    AER is 1 - (|links in sure| + |links in possible|) / (|links| + |sure|); it equals 1 - F1 only if all gold links
    are sure. Counts are summed over the sentences and divided once. Without any links precision is 1; without any sure
    gold links recall is 1.

    Args:
        links: the links of each sentence.
        gold: the gold alignment of each sentence.

    Raises:
        UserError: the numbers of sentences differ.
    """
    if len(links) != len(gold):
        raise UserError(f"{len(links)} alignments and {len(gold)} gold alignments; expected the same number")
    proposed = sum(map(len, links))
    sure = sum(len(g.sure) for g in gold)
    hits_sure = sum(len(a & g.sure) for a, g in zip(links, gold, strict=True))
    hits_possible = sum(len(a & (g.possible | g.sure)) for a, g in zip(links, gold, strict=True))
    precision, recall = _share(hits_possible, proposed), _share(hits_sure, sure)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return AlignmentScores(precision, recall, f1, 1.0 - _share(hits_sure + hits_possible, proposed + sure))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
