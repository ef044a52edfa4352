"""Subword regularisation: several segmentations of each word, to draw from.

Unigram: a segmentation is drawn in proportion to its probability to the power of `alpha`, by forward filtering and
backward sampling (Kudo 2018, arXiv 1804.10959, with l = infinity). BPE: each possible merge is skipped with probability
`alpha` at every step (BPE-dropout, Provilkov et al. 2020, arXiv 1910.13267). SentencePiece implements both, but with a
random generator for each thread, which cannot be seeded to give the same draws in two processes.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int32, Int64
from numpy.random import Generator

from heed.errors import UserError
from heed.text.ragged import Ragged, concatenate, ragged
from heed.text.subwords import Subwords

SLOTS = 64
"""The number of draws for each word; an epoch uses one of them for each occurrence of the word."""

LONGEST_WORD = (
    63  # characters, because the boundaries of a segmentation are bits of an integer; longer words stay whole
)

WORDS_AT_ONCE = 1000

NONE = np.iinfo(np.int32).max

Draw = Callable[[list[str]], Int32[np.ndarray, "draws length"]]
"""`SLOTS` segmentations of each of several words of one length, in rows padded with -1."""


class Segmentations(NamedTuple):
    """Segmentations of a list of words: row `i` of `slots` has the indices of those of word `i`, equally likely."""

    pieces: Ragged
    slots: Int32[np.ndarray, "words slots"]


def check_kind(kind: str, alpha: float) -> None:
    """Raise UserError for a kind of subwords that cannot be sampled."""
    if kind not in ("unigram", "bpe"):
        raise UserError(f"subword_sampling={alpha:g} needs subwords=unigram or bpe; {kind} has no alternatives")


def sample(subwords: Subwords, kind: str, words: Sequence[str], alpha: float, seed: Sequence[int]) -> Segmentations:
    """Draw segmentations of `words`; the same arguments always give the same draws.

    With a smaller `alpha`, unigram varies more and BPE less. A word with an unknown character or a user-defined symbol,
    and one that cannot be divided, keeps the segmentation of `encode`.
    """
    best = subwords.encode_each(words)
    slots = np.repeat(np.arange(len(words), dtype=np.int32)[:, None], SLOTS, axis=1)
    draw = (unigram if kind == "unigram" else bpe)(subwords, alpha, np.random.default_rng(seed))
    parts, count = [ragged(best)], len(words)
    for numbers, spelt in _blocks(subwords, words, best):
        drawn, own = _different(draw(spelt), subwords)
        slots[numbers] = count + own
        parts.append(drawn)
        count += drawn.rows
    return Segmentations(concatenate(parts), slots)


def join(parts: Sequence[Segmentations]) -> Segmentations:
    """Concatenate the segmentations of consecutive lists of words."""
    before = np.cumsum([0, *(part.pieces.rows for part in parts[:-1])], dtype=np.int32)
    slots = [first + part.slots for first, part in zip(before, parts, strict=True)]
    return Segmentations(concatenate([part.pieces for part in parts]), np.concatenate(slots))


def unigram(subwords: Subwords, alpha: float, generator: Generator) -> Draw:
    """Draw from the unigram model, with probabilities to the power of `alpha`."""
    pieces = _normal_pieces(subwords)
    scores = alpha * np.array([*subwords.scores, -np.inf])

    def draw(words: list[str]) -> Int32[np.ndarray, "draws length"]:
        length = len(words[0])
        ids = np.full((len(words), length + 1, length + 1), -1, np.int32)  # of the subword from column to row
        for row, word in enumerate(words):
            for start in range(length):
                for end in range(start + 1, length + 1):
                    ids[row, end, start] = pieces.get(word[start:end], -1)
        return _backward(ids, _forward(scores[ids]), generator)

    return draw


def _forward(scores: Float[np.ndarray, "words end start"]) -> Float[np.ndarray, "words end start"]:
    """For every end position, the cumulative probabilities of the start of the subword that ends there."""
    reached = np.full(scores.shape[:2], -np.inf)
    reached[:, 0] = 0
    shares = np.zeros(scores.shape)
    for end in range(1, scores.shape[1]):
        paths = reached + scores[:, end]
        reached[:, end] = np.logaddexp.reduce(paths, axis=1)
        shares[:, end] = np.exp(paths - reached[:, end, None])
    return shares.cumsum(axis=2)


def _backward(
    ids: Int32[np.ndarray, "words end start"], shares: Float[np.ndarray, "words end start"], generator: Generator
) -> Int32[np.ndarray, "draws length"]:
    words, length = np.repeat(np.arange(len(ids)), SLOTS), ids.shape[1] - 1
    rows = np.full((len(words), length), -1, np.int32)
    end = np.full(len(words), length)
    for column in reversed(range(length)):
        below = generator.random(len(words))[:, None] >= shares[words, end]
        start = np.where(end > 0, np.minimum(below.sum(axis=1), end - 1), 0)
        rows[:, column] = np.where(end > 0, ids[words, end, start], -1)
        end = start
    return rows


def bpe(subwords: Subwords, alpha: float, generator: Generator) -> Draw:
    """Draw by skipping merges with probability `alpha`."""
    pieces = _normal_pieces(subwords)
    merged = _merges(pieces)

    def draw(words: list[str]) -> Int32[np.ndarray, "draws length"]:
        letters = np.array([[pieces[letter] for letter in word] for word in words], np.int32)
        symbols = np.repeat(letters, SLOTS, axis=0)
        rows, left = np.empty_like(symbols), np.arange(len(symbols))
        while len(left):
            merges = merged(symbols[:, :-1], symbols[:, 1:])
            merges[generator.random(merges.shape) < alpha] = NONE
            place = merges.argmin(axis=1)
            best = merges[np.arange(len(left)), place]
            done = best == NONE
            rows[left[done]] = symbols[done]
            left, symbols = left[~done], _merge(symbols[~done], place[~done], best[~done])
        return rows

    return draw


def _merges(pieces: dict[str, int]) -> Callable[..., Int32[np.ndarray, "draws pairs"]]:
    """The subword that two neighbours merge to, or NONE. A smaller id means that the merge was learned earlier."""
    pairs = {
        pieces[piece[:cut]] * NONE + pieces[piece[cut:]]: whole
        for piece, whole in pieces.items()
        for cut in range(1, len(piece))
        if piece[:cut] in pieces and piece[cut:] in pieces
    }
    keys = np.array(sorted(pairs) or [-1], np.int64)
    wholes = np.array([pairs.get(key, NONE) for key in keys.tolist()], np.int32)

    def merged(one: Int32[np.ndarray, "..."], other: Int32[np.ndarray, "..."]) -> Int32[np.ndarray, "..."]:
        wanted = one.astype(np.int64) * NONE + other
        found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where((keys[found] == wanted) & (other >= 0), wholes[found], NONE).astype(np.int32)

    return merged


def _merge(
    symbols: Int32[np.ndarray, "draws length"], place: Int[np.ndarray, "draws"], best: Int32[np.ndarray, "draws"]
) -> Int32[np.ndarray, "draws length"]:
    """The rows after a merge: `best` at `place`, and the following subwords moved up by one."""
    moved = np.full_like(symbols, -1)
    moved[:, :-1] = symbols[:, 1:]
    kept = np.where(np.arange(symbols.shape[1]) < place[:, None], symbols, moved)
    kept[np.arange(len(kept)), place] = best
    return kept


def _normal_pieces(subwords: Subwords) -> dict[str, int]:
    ids = [i for i in range(len(subwords)) if not subwords.is_special(i)]
    return dict(zip(subwords.pieces(ids), ids, strict=True))


def _blocks(
    subwords: Subwords, words: Sequence[str], best: Sequence[Sequence[int]]
) -> Iterator[tuple[Int64[np.ndarray, "block"], list[str]]]:
    """Words of one length, as SentencePiece spells them, and their indices; indivisible words are left out."""
    letters = {piece for piece in _normal_pieces(subwords) if len(piece) == 1}
    spelt = [subwords.spelling(word) for word in words]
    chosen = [
        i
        for i, word in enumerate(spelt)
        if 1 < len(word) <= LONGEST_WORD
        and letters.issuperset(word)
        and not any(symbol in word for symbol in subwords.user_defined)
    ]
    for _, group in groupby(sorted(chosen, key=lambda i: len(spelt[i])), key=lambda i: len(spelt[i])):
        numbers = np.array(list(group))
        for start in range(0, len(numbers), WORDS_AT_ONCE):
            block = numbers[start : start + WORDS_AT_ONCE]
            yield block, [spelt[i] for i in block]


def _different(
    rows: Int32[np.ndarray, "draws length"], subwords: Subwords
) -> tuple[Ragged, Int64[np.ndarray, "words slots"]]:
    """The different rows, without padding, and for each word the indices of its rows."""
    lengths = np.array([*map(len, subwords.pieces(range(len(subwords)))), 0])
    cuts = np.bitwise_or.reduce(np.uint64(1) << lengths[rows].cumsum(axis=1).astype(np.uint64), axis=1)
    keys = np.stack([np.repeat(np.arange(len(rows) // SLOTS, dtype=np.uint64), SLOTS), cuts], axis=1)
    _, first, own = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    kept = rows[first]
    offsets = np.concatenate([[0], (kept >= 0).sum(axis=1).cumsum()])
    return Ragged(kept[kept >= 0], offsets), own.reshape(-1, SLOTS)
