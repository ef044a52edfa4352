"""A validation split for a corpus that has none: pairs drawn from its training split with a seed."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from heed.data.corpus import Pairs
from heed.data.duplicates import repeated, stripped
from heed.errors import UserError

SHARE, MOST = 0.05, 1000
"""The number of different pairs that are drawn: one in twenty, at most a thousand."""


def drawn_valid(read: Callable[[], Pairs], seed: int) -> Pairs:
    """The pairs that are drawn for validation, without duplicates, in the order of the file."""
    pairs = read()
    drawn = _drawn(pairs, seed)
    note = f"valid: no file given; drawn from train: {len(drawn)} of {len(pairs)} pairs, corpus.split_seed={seed}"
    return replace(drawn, notes=(*pairs.notes, note))


def without_valid(read: Callable[[], Pairs], seed: int) -> Pairs:
    """The training split without the pairs that are drawn for validation."""
    pairs = read()
    drawn = _drawn(pairs, seed)
    taken = set(stripped(drawn))
    keep = (pair not in taken for pair in stripped(pairs))
    return pairs.select(np.fromiter(keep, bool, len(pairs)))


def _drawn(pairs: Pairs, seed: int) -> Pairs:
    different = np.flatnonzero(~repeated(pairs))
    if len(different) < 2:
        raise UserError("the training split has fewer than 2 different pairs, too few to divide; give corpus.valid=…")
    count = min(MOST, max(1, int(SHARE * len(different))))
    keep = np.zeros(len(pairs), bool)
    keep[different[np.random.default_rng(seed).choice(len(different), count, replace=False)]] = True
    return pairs.select(keep)
