"""Which pairs of a mix an epoch reads, and how often."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from heed.data.corpus import Pairs
from heed.errors import UserError


class Readings(NamedTuple):
    """Chooses the pairs that each epoch reads: for each part, its number of pairs times its weight, rounded.

    The pairs of a part are shuffled, read one after the other from epoch to epoch, and shuffled again when all have
    been read. With a weight of 2, each epoch reads every pair twice. With a weight of 0.5, one epoch reads half of the
    pairs, and the next epoch reads the other half. After any number of epochs, the numbers of readings of two pairs of
    a part differ by at most 1. The choice depends only on the seed and the epoch, so it is the same in all processes
    and after an interruption.
    """

    part: Int64[np.ndarray, "pairs"]
    """The number of the part of each pair."""
    weights: Sequence[float]
    """The weight of each part."""

    def epoch(self, seed: int, epoch: int) -> Int64[np.ndarray, "read"]:
        """The numbers of the pairs that an epoch reads, in ascending order.

        Args:
            seed: the seed of the run.
            epoch: the number of the epoch, counted from 0.

        Raises:
            UserError: the epoch reads no pair.
        """
        chosen = [self._chosen(number, seed, epoch) for number in range(len(self.weights))]
        pairs = np.sort(np.concatenate(chosen))
        if not len(pairs):
            raise UserError("corpus.parts: with these weights an epoch reads no pair; give larger weights")
        return pairs

    def counts(self) -> list[int]:
        """The number of pairs that an epoch reads from each part."""
        pairs = np.bincount(self.part, minlength=len(self.weights))
        return [round(weight * int(count)) for weight, count in zip(self.weights, pairs, strict=True)]

    def _chosen(self, number: int, seed: int, epoch: int) -> Int64[np.ndarray, "read"]:
        """The pairs of one part that an epoch reads; each round is one shuffle of all its pairs."""
        pairs, count = np.flatnonzero(self.part == number), self.counts()[number]
        if not count:
            return pairs[:0]
        first, start = divmod(epoch * count, len(pairs))
        last = -(-(start + count) // len(pairs)) + first
        rounds = [np.random.default_rng([seed, number, place]).permutation(pairs) for place in range(first, last)]
        return np.concatenate(rounds)[start : start + count]


def readings(train: Pairs) -> Readings | None:
    """The readings of a training split; None if it is not a mix, so that an epoch reads every pair once."""
    if not train.parts:
        return None
    return Readings(np.asarray(train.part, np.int64), [part.weight for part in train.parts])
