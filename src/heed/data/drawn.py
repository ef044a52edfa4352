"""A validation split for a corpus that has none: some pairs of its training split, drawn by a seed."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from heed.data.corpus import Pairs
from heed.data.duplicates import repeated
from heed.errors import UserError

SHARE, MOST = 0.05, 1000
"""How many different pairs are drawn: one in twenty, a thousand at most."""


def drawn_valid(read: Callable[[], Pairs], seed: int) -> Pairs:
    """The pairs that are drawn for validation, each once, in the order of the file."""
    pairs = read()
    drawn = _drawn(pairs, seed)
    note = f"valid: no file is named; drawn from train: {len(drawn)} of {len(pairs)} pairs, corpus.split_seed={seed}"
    return replace(drawn, notes=(*pairs.notes, note))


def without_valid(read: Callable[[], Pairs], seed: int) -> Pairs:
    """The training split without any pair that is drawn for validation."""
    pairs = read()
    drawn = _drawn(pairs, seed)
    taken = set(zip(drawn.src, drawn.tgt, strict=True))
    keep = (pair not in taken for pair in zip(pairs.src, pairs.tgt, strict=True))
    return pairs.select(np.fromiter(keep, bool, len(pairs)))


def _drawn(pairs: Pairs, seed: int) -> Pairs:
    different = np.flatnonzero(~repeated(pairs))
    if len(different) < 2:
        raise UserError("the training split has fewer than 2 different pairs, none to spare; give corpus.valid=…")
    count = min(MOST, max(1, int(SHARE * len(different))))
    keep = np.zeros(len(pairs), bool)
    keep[different[np.random.default_rng(seed).choice(len(different), count, replace=False)]] = True
    return pairs.select(keep)
