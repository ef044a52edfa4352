"""An encoded split: the subword ids of all sentences in a few flat arrays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
from jaxtyping import Int32, Int64, Shaped

from heed.data.cache import Store, in_memory
from heed.data.corpus import Pairs
from heed.data.portions import LINES, in_portions
from heed.text.ragged import Ragged, concatenate, number_words, ragged
from heed.text.subwords import UNK, EncodedLine, Subwords

LONGEST = 1024
"""The largest number of subwords of a line. Attention memory grows with the square of the length."""

AT_ONCE = 2**20


@dataclass(frozen=True)
class Encoded:
    """The ids of all sentences, concatenated, without BOS and EOS; sentence `i` is `ids[offsets[i]:offsets[i + 1]]`.

    Plain arrays, so that they can be memory-mapped files.
    """

    src_ids: Int32[np.ndarray, "src_pieces"]
    src_offsets: Int64[np.ndarray, "pairs1"]
    tgt_ids: Int32[np.ndarray, "tgt_pieces"]
    tgt_offsets: Int64[np.ndarray, "pairs1"]

    def __len__(self) -> int:
        return len(self.src_offsets) - 1

    def arrays(self) -> dict[str, Shaped[np.ndarray, "..."]]:
        """The arrays, by field name."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> "Encoded":
        """The inverse of `arrays`; other names are ignored."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    def src(self, i: int) -> Int32[np.ndarray, "src"]:
        """The source ids of pair `i`."""
        return self.src_ids[self.src_offsets[i] : self.src_offsets[i + 1]]

    def tgt(self, i: int) -> Int32[np.ndarray, "tgt"]:
        """The target ids of pair `i`."""
        return self.tgt_ids[self.tgt_offsets[i] : self.tgt_offsets[i + 1]]

    def lengths(self, pairs: Int64[np.ndarray, "some"]) -> tuple[Int64[np.ndarray, "some"], Int64[np.ndarray, "some"]]:
        """The numbers of subwords of the sources and targets of these pairs."""
        src, tgt = (ends[pairs + 1] - ends[pairs] for ends in (self.src_offsets, self.tgt_offsets))
        return src, tgt

    @property
    def src_len(self) -> Int64[np.ndarray, "pairs"]:
        """The number of subwords of each source."""
        return np.diff(self.src_offsets)

    @property
    def tgt_len(self) -> Int64[np.ndarray, "pairs"]:
        """The number of subwords of each target."""
        return np.diff(self.tgt_offsets)

    @property
    def unk_rates(self) -> tuple[float, float]:
        """The share of `<unk>` among the subwords of each side."""
        return _share(_pieces(self.src_ids)), _share(_pieces(self.tgt_ids))


def spelt(words: Ragged, pieces: Ragged, rows: Int32[np.ndarray, "words"]) -> Ragged:
    """Lines of words as lines of subwords; `rows` has for each word its row in `pieces`."""
    parts = []
    for start in range(0, max(words.rows, 1), LINES):
        ends = words.offsets[start : start + LINES + 1]
        parts.append(pieces.take(rows[ends[0] : ends[-1]]).joined(ends - ends[0]))
    return concatenate(parts)


def encode(pairs: Pairs, src: Subwords, tgt: Subwords, store: Store = in_memory) -> Encoded:
    """Encode the pairs with their two vocabularies; `store` keeps the arrays, by field name.

    While this runs, memory has 4 bytes for each pair, and a few portions.
    """
    return Encoded(*_side("src", pairs.src, src, store), *_side("tgt", pairs.tgt, tgt, store))


def unk_rates(pairs: Pairs, src: Subwords, tgt: Subwords) -> tuple[float, float]:
    """The shares of `<unk>`, as `Encoded.unk_rates`, of pairs that are not encoded otherwise."""
    one, other = (_parts(*side) for side in ((pairs.src, src), (pairs.tgt, tgt)))
    return _share(part.values for part in one), _share(part.values for part in other)


def encoded_lines(src: Sequence[EncodedLine], tgt: Sequence[EncodedLine]) -> Encoded:
    """Pairs of lines that are already divided into subwords."""
    return Encoded(*ragged([line.ids for line in src]), *ragged([line.ids for line in tgt]))


def _side(name: str, lines: Sequence[str], subwords: Subwords, store: Store) -> Ragged:
    lengths = []

    def ids() -> Iterator[Int32[np.ndarray, "pieces"]]:
        for part in _parts(lines, subwords):
            lengths.append(part.lengths.astype(np.int32))
            yield part.values

    def offsets() -> Iterator[Int64[np.ndarray, "lines"]]:
        end = 0
        yield np.zeros(1, np.int64)
        for part in lengths:
            yield end + np.cumsum(part, dtype=np.int64)
            end += int(part.sum())

    return Ragged(store(f"{name}_ids", ids()), store(f"{name}_offsets", offsets()))


def _parts(lines: Sequence[str], subwords: Subwords) -> Iterator[Ragged]:
    return in_portions(partial(_encoded, subwords), lines, LINES)


def _encoded(subwords: Subwords, _: int, lines: Sequence[str]) -> Ragged:
    different, words = number_words(lines)
    return spelt(words, ragged(subwords.encode_each(different)), words.values)


def _pieces(ids: Int32[np.ndarray, "pieces"]) -> Iterator[Int32[np.ndarray, "some"]]:
    """The ids in parts."""
    return (ids[start : start + AT_ONCE] for start in range(0, max(len(ids), 1), AT_ONCE))


def _share(parts: Iterable[Int32[np.ndarray, "pieces"]]) -> float:
    counts = [(np.count_nonzero(part == UNK), len(part)) for part in parts]
    unknown, pieces = map(sum, zip(*counts, strict=True))
    return unknown / pieces if pieces else 0.0
