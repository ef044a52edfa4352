"""A split as numbers: the piece ids of every sentence in a few flat arrays."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64

from heed.data.corpus import Pairs
from heed.text.ragged import Ragged, concatenate, ragged
from heed.text.subwords import UNK, Subwords

LONGEST = 1024
"""Pieces of a line that are read. A longer line would take the memory of a whole batch of ordinary ones, squared."""

LINES_AT_ONCE = 50_000  # what is worked out on the way takes several times the memory of the ids


@dataclass(frozen=True)
class Encoded:
    """The ids of all sentences end to end, without BOS and EOS; sentence `i` is `ids[offsets[i]:offsets[i + 1]]`.

    Plain arrays, so that they can as well be memory-mapped files.
    """

    src_ids: Int32[np.ndarray, "src_pieces"]
    src_offsets: Int64[np.ndarray, "pairs1"]
    tgt_ids: Int32[np.ndarray, "tgt_pieces"]
    tgt_offsets: Int64[np.ndarray, "pairs1"]

    def __len__(self) -> int:
        return len(self.src_offsets) - 1

    def src(self, i: int) -> Int32[np.ndarray, "src"]:
        """The source ids of pair `i`."""
        return self.src_ids[self.src_offsets[i] : self.src_offsets[i + 1]]

    def tgt(self, i: int) -> Int32[np.ndarray, "tgt"]:
        """The target ids of pair `i`."""
        return self.tgt_ids[self.tgt_offsets[i] : self.tgt_offsets[i + 1]]

    @property
    def src_len(self) -> Int64[np.ndarray, "pairs"]:
        """Pieces in each source."""
        return np.diff(self.src_offsets)

    @property
    def tgt_len(self) -> Int64[np.ndarray, "pairs"]:
        """Pieces in each target."""
        return np.diff(self.tgt_offsets)

    @property
    def unk_rates(self) -> tuple[float, float]:
        """The share of `<unk>` among the pieces of each side."""
        return _share(self.src_ids), _share(self.tgt_ids)


class Words(NamedTuple):
    """A text as numbers of words: row `i` of `numbers` is line `i`, and word `n` is `different[n]`."""

    different: list[str]
    numbers: Ragged

    def spelt(self, pieces: Ragged, rows: Int32[np.ndarray, "words"]) -> Ragged:
        """The lines in pieces, where `rows` says for each word of the text which row of `pieces` it is."""
        ends, parts = self.numbers.offsets, []
        for start in range(0, self.numbers.rows, LINES_AT_ONCE):
            lines = ends[start : start + LINES_AT_ONCE + 1]
            parts.append(pieces.take(rows[lines[0] : lines[-1]]).joined(lines - lines[0]))
        return concatenate(parts)


def number_words(lines: Iterable[str]) -> Words:
    """The white-space words of every line, each different one kept once."""
    numbers: dict[str, int] = {}
    lengths = [0]

    def each() -> Iterator[int]:
        for line in lines:
            words = line.split()
            lengths.append(len(words))
            for word in words:
                yield numbers.setdefault(word, len(numbers))

    values = np.fromiter(each(), np.int32)
    return Words(list(numbers), Ragged(values, np.cumsum(lengths, dtype=np.int64)))


def encode(pairs: Pairs, src: Subwords, tgt: Subwords) -> Encoded:
    """The pairs in the ids of their two vocabularies."""
    return Encoded(*_side(pairs.src, src), *_side(pairs.tgt, tgt))


def _side(lines: Sequence[str], subwords: Subwords) -> Ragged:
    words = number_words(lines)
    return words.spelt(ragged(subwords.encode_each(words.different)), words.numbers.values)


def _share(ids: Int32[np.ndarray, "pieces"]) -> float:
    return float((ids == UNK).mean()) if len(ids) else 0.0
