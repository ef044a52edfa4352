"""Several segmentations of each word, to draw from: subword regularisation.

Unigram: each segmentation as often as its probability to the power of `alpha` says, by forward filtering and backward
sampling (Kudo 2018, arXiv 1804.10959, with l = infinity). BPE: each possible merge is left out with probability `alpha`
at every step (BPE-dropout, Provilkov et al. 2020, arXiv 1910.13267). SentencePiece does both, but draws from
generators of its threads, which no seed makes the same in two processes.
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
"""Draws of each word, of which an epoch takes one for each time that the word occurs."""

LONGEST_WORD = 63  # characters, so that the cuts of a word are the bits of a number; a longer one is not sampled

WORDS_AT_ONCE = 1000

NONE = np.iinfo(np.int32).max

Draw = Callable[[list[str]], Int32[np.ndarray, "draws length"]]
"""`SLOTS` segmentations of each of several words of one length, in rows that are filled up with -1."""


class Segmentations(NamedTuple):
    """Segmentations of a list of words: row `i` of `slots` names those of word `i`, equally likely."""

    pieces: Ragged
    slots: Int32[np.ndarray, "words slots"]


def check_kind(kind: str, alpha: float) -> None:
    """UserError for subwords that leave no choice."""
    if kind not in ("unigram", "bpe"):
        raise UserError(f"subword_sampling={alpha:g} needs subwords=unigram or bpe, not {kind}, which has no choice")


def sample(subwords: Subwords, kind: str, words: Sequence[str], alpha: float, seed: Sequence[int]) -> Segmentations:
    """What `words` may be drawn as: the same for the same arguments, whatever the machine does meanwhile.

    The smaller `alpha`, the more varied is unigram, and the less BPE. A word that has an unknown character or a
    user-defined symbol, or nothing to divide, keeps the segmentation that `encode` gives.
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
    """Those of all words, made of those of some and those of the words that follow."""
    before = np.cumsum([0, *(part.pieces.rows for part in parts[:-1])], dtype=np.int32)
    slots = [first + part.slots for first, part in zip(before, parts, strict=True)]
    return Segmentations(concatenate([part.pieces for part in parts]), np.concatenate(slots))


def unigram(subwords: Subwords, alpha: float, generator: Generator) -> Draw:
    """Draws from the unigram model, its probabilities taken to the power of `alpha`."""
    pieces = _normal_pieces(subwords)
    scores = alpha * np.array([*subwords.scores, -np.inf])

    def draw(words: list[str]) -> Int32[np.ndarray, "draws length"]:
        length = len(words[0])
        ids = np.full((len(words), length + 1, length + 1), -1, np.int32)  # of the piece from column to row
        for row, word in enumerate(words):
            for start in range(length):
                for end in range(start + 1, length + 1):
                    ids[row, end, start] = pieces.get(word[start:end], -1)
        return _backward(ids, _forward(scores[ids]), generator)

    return draw


def _forward(scores: Float[np.ndarray, "words end start"]) -> Float[np.ndarray, "words end start"]:
    """For every end the cumulated probabilities of where the piece that ends there starts."""
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
    """Draws by leaving out merges with probability `alpha`."""
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
    """What two neighbouring pieces make together, or NONE. The smaller the id, the earlier was the merge learnt."""
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
    """The rows with `best` at `place`, and what follows the two that it was made of moved up."""
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
    """Words of one length, as SentencePiece spells them, with their numbers; those without a choice are left out."""
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
    """The rows that differ, without what fills them up, and for each word the numbers of its own."""
    lengths = np.array([*map(len, subwords.pieces(range(len(subwords)))), 0])
    cuts = np.bitwise_or.reduce(np.uint64(1) << lengths[rows].cumsum(axis=1).astype(np.uint64), axis=1)
    keys = np.stack([np.repeat(np.arange(len(rows) // SLOTS, dtype=np.uint64), SLOTS), cuts], axis=1)
    _, first, own = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    kept = rows[first]
    offsets = np.concatenate([[0], (kept >= 0).sum(axis=1).cumsum()])
    return Ragged(kept[kept >= 0], offsets), own.reshape(-1, SLOTS)
