"""A validation split for a corpus that has none: pairs drawn from its training split with a seed."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from heed.data.corpus import Pairs
from heed.errors import UserError

SHARE, MOST = 0.05, 1000
"""The number of different pairs that are drawn: one in twenty, at most a thousand."""


def drawn_valid(read: Callable[[], Pairs], seed: int) -> Pairs:
    """The pairs that are drawn for validation, without duplicates, in the order of the file."""
    pairs = read()
    chosen = _chosen(pairs, seed)
    both = list(zip(pairs.src, pairs.tgt, strict=True))
    first = {pair: place for place, pair in reversed(list(enumerate(both)))}
    keep = [pair in chosen and first[pair] == place for place, pair in enumerate(both)]
    note = f"valid: no file given; drawn from train: {len(chosen)} of {len(pairs)} pairs, corpus.split_seed={seed}"
    return replace(pairs.select(keep), notes=(*pairs.notes, note))


def without_valid(read: Callable[[], Pairs], seed: int) -> Pairs:
    """The training split without the pairs that are drawn for validation."""
    pairs = read()
    chosen = _chosen(pairs, seed)
    return pairs.select([pair not in chosen for pair in zip(pairs.src, pairs.tgt, strict=True)])


def _chosen(pairs: Pairs, seed: int) -> set[tuple[str, str]]:
    different = list(dict.fromkeys(zip(pairs.src, pairs.tgt, strict=True)))
    if len(different) < 2:
        raise UserError("the training split has fewer than 2 different pairs, too few to divide; give corpus.valid=…")
    count = min(MOST, max(1, int(SHARE * len(different))))
    places = np.random.default_rng(seed).choice(len(different), count, replace=False)
    return {different[place] for place in places}
