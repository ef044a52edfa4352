"""A split whose words are segmented afresh in every epoch."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from heed.data.corpus import Pairs
from heed.data.encoded import Encoded, number_words
from heed.text.ragged import Ragged
from heed.text.sampling import SLOTS, sample
from heed.text.subwords import Subwords


class Resampled:
    """The pairs in pieces that are drawn for every occurrence of a word, a function of (seed, epoch) alone.

    So an epoch is the same in all processes and after any interruption. It takes 0.2 s for 29,000 pairs.
    """

    def __init__(self, pairs: Pairs, src: Subwords, tgt: Subwords, kind: str, alpha: float, seed: int) -> None:
        self.src = _Side(pairs.src, src, kind, alpha, seed, 1)
        self.tgt = _Side(pairs.tgt, tgt, kind, alpha, seed, 2)

    def epoch(self, epoch: int) -> Encoded:
        """All pairs, as they are read in that epoch, counted from 0."""
        return Encoded(*self.src.epoch(epoch), *self.tgt.epoch(epoch))

    def longest(self) -> tuple[Int64[np.ndarray, "pairs"], Int64[np.ndarray, "pairs"]]:
        """The most pieces that each source and each target can be divided into, in any epoch."""
        return self.src.longest(), self.tgt.longest()


class _Side:
    def __init__(
        self, lines: Sequence[str], subwords: Subwords, kind: str, alpha: float, seed: int, number: int
    ) -> None:
        self.words, self.seed, self.number = number_words(lines), seed, number
        self.table = sample(subwords, kind, self.words.different, alpha, [seed, 0, number, 1])

    def epoch(self, epoch: int) -> Ragged:
        words, generator = self.words.numbers.values, np.random.default_rng([self.seed, epoch, self.number])
        slots = generator.integers(0, SLOTS, len(words), np.uint8)
        return self.words.spelt(self.table.pieces, self.table.slots[words, slots])

    def longest(self) -> Int64[np.ndarray, "pairs"]:
        lengths = np.concatenate([[0], self.table.longest()[self.words.numbers.values].cumsum()])
        return np.diff(lengths[self.words.numbers.offsets])
