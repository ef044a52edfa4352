"""Rows of different lengths, concatenated in flat arrays."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int32, Int64

from heed.text.words import split_words


class Ragged(NamedTuple):
    """Row `i` is `values[offsets[i]:offsets[i + 1]]`."""

    values: Int32[np.ndarray, "values"]
    offsets: Int64[np.ndarray, "rows1"]

    @property
    def rows(self) -> int:
        """The number of rows; `len` is the length of the tuple."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int64[np.ndarray, "rows"]:
        """The number of values in each row."""
        return np.diff(self.offsets)

    def row(self, i: int) -> Int32[np.ndarray, "length"]:
        """The values of one row."""
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    def take(self, rows: Int[np.ndarray, "taken"]) -> "Ragged":
        """The rows with these indices, in this order, repeated if an index is repeated."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return Ragged(self.values[places], offsets)

    def joined(self, ends: Int64[np.ndarray, "longer1"]) -> "Ragged":
        """Consecutive rows concatenated: new row `i` is made of the rows from `ends[i]` to before `ends[i + 1]`."""
        return Ragged(self.values, self.offsets[ends])


def ragged(rows: Sequence[Sequence[int]]) -> Ragged:
    """Make a `Ragged` of lists."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    return Ragged(np.fromiter(chain.from_iterable(rows), np.int32), np.concatenate([[0], np.cumsum(lengths)]))


def number_words(lines: Iterable[str]) -> tuple[list[str], Ragged]:
    """The different words of all lines, and each line as indices into them."""
    numbers: dict[str, int] = {}
    lengths = [0]

    def each() -> Iterator[int]:
        for line in lines:
            words = split_words(line)
            lengths.append(len(words))
            for word in words:
                yield numbers.setdefault(word, len(numbers))

    values = np.fromiter(each(), np.int32)
    return list(numbers), Ragged(values, np.cumsum(lengths, dtype=np.int64))


def merge_numbered(parts: Iterable[tuple[list[str], Ragged]]) -> tuple[list[str], Ragged]:
    """Combine the results of `number_words` for consecutive portions of lines."""
    numbers: dict[str, int] = {}
    lines = []
    for different, words in parts:
        renumbered = np.array([numbers.setdefault(word, len(numbers)) for word in different], np.int32)
        lines.append(Ragged(renumbered[words.values], words.offsets))
    return list(numbers), concatenate(lines)


def concatenate(parts: Sequence[Ragged]) -> Ragged:
    """Concatenate the rows of all parts."""
    values = np.concatenate([part.values for part in parts])
    lengths = np.concatenate([part.lengths for part in parts])
    return Ragged(values, np.concatenate([[0], np.cumsum(lengths)]))
