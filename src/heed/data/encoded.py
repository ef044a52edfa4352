"""A split as numbers: the piece ids of every sentence in a few flat arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from jaxtyping import Int32, Int64

from heed.data.corpus import Pairs
from heed.text.subwords import UNK, Subwords

LONGEST = 1024
"""Pieces of a line that are read. A longer line would take the memory of a whole batch of ordinary ones, squared."""

LINES_AT_ONCE = 10_000  # Python lists of ids take about ten times the memory of the arrays


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


def encode(pairs: Pairs, src: Subwords, tgt: Subwords) -> Encoded:
    """The pairs in the ids of their two vocabularies."""
    return Encoded(*_flat(pairs.src, src), *_flat(pairs.tgt, tgt))


def _flat(lines: Sequence[str], subwords: Subwords) -> tuple[Int32[np.ndarray, "pieces"], Int64[np.ndarray, "lines1"]]:
    ids = [np.zeros(0, np.int32)]
    lengths = [0]
    for start in range(0, len(lines), LINES_AT_ONCE):
        encoded = subwords.encode_lines(lines[start : start + LINES_AT_ONCE])
        lengths.extend(map(len, encoded))
        ids.append(np.fromiter(chain.from_iterable(encoded), np.int32))
    return np.concatenate(ids), np.cumsum(lengths, dtype=np.int64)


def _share(ids: Int32[np.ndarray, "pieces"]) -> float:
    return float((ids == UNK).mean()) if len(ids) else 0.0
