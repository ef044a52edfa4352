"""Which pairs of a mix an epoch reads, and how often."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from heed.data.corpus import Pairs
from heed.errors import UserError


class Readings(NamedTuple):
    """The readings of an epoch: of each part its pairs times its weight, to the nearest whole number.

    The pairs of a part are dealt like cards: shuffled, read one after the other from epoch to epoch, and shuffled again
    when all have been read. So a weight of 2 reads every pair twice in each epoch; one of 0.5 reads half of them, and
    the other half in the next epoch; and after any number of epochs no pair was read more than once more than another.
    What is dealt depends on `seed` and the epoch alone, so it is the same in all processes and after an interruption.
    """

    part: Int64[np.ndarray, "pairs"]
    """The number of each pair's part."""
    weights: Sequence[float]
    """Of each part."""

    def epoch(self, seed: int, epoch: int) -> Int64[np.ndarray, "read"]:
        """The pairs that an epoch, counted from 0, reads, in order of the split.

        Raises:
            UserError: there are none.
        """
        dealt = [self._dealt(number, seed, epoch) for number in range(len(self.weights))]
        pairs = np.sort(np.concatenate(dealt))
        if not len(pairs):
            raise UserError("corpus.parts: with these weights an epoch reads no pair; give larger ones")
        return pairs

    def counts(self) -> list[int]:
        """How many readings of each part an epoch has."""
        pairs = np.bincount(self.part, minlength=len(self.weights))
        return [round(weight * int(count)) for weight, count in zip(self.weights, pairs, strict=True)]

    def _dealt(self, number: int, seed: int, epoch: int) -> Int64[np.ndarray, "read"]:
        pairs, count = np.flatnonzero(self.part == number), self.counts()[number]
        if not count:
            return pairs[:0]
        first, start = divmod(epoch * count, len(pairs))
        last = -(-(start + count) // len(pairs)) + first
        decks = [np.random.default_rng([seed, number, deck]).permutation(pairs) for deck in range(first, last)]
        return np.concatenate(decks)[start : start + count]


def readings(train: Pairs) -> Readings | None:
    """Those of a training split, or None if it is no mix: then an epoch reads every pair once."""
    if not train.parts:
        return None
    return Readings(np.asarray(train.part, np.int64), [part.weight for part in train.parts])
