"""A validation split for a corpus that has none: some pairs of its training split, drawn by a seed."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from heed.data.corpus import Pairs
from heed.errors import UserError

SHARE, MOST = 0.05, 1000
"""How many different pairs are drawn: one in twenty, a thousand at most."""


def drawn_valid(read: Callable[[], Pairs], seed: int) -> Pairs:
    """The pairs that are drawn for validation, each once, in the order of the file."""
    pairs = read()
    chosen = _chosen(pairs, seed)
    both = list(zip(pairs.src, pairs.tgt, strict=True))
    first = {pair: place for place, pair in reversed(list(enumerate(both)))}
    keep = [pair in chosen and first[pair] == place for place, pair in enumerate(both)]
    note = f"valid: no file is named; drawn from train: {len(chosen)} of {len(pairs)} pairs, corpus.split_seed={seed}"
    return replace(pairs.select(keep), notes=(*pairs.notes, note))


def without_valid(read: Callable[[], Pairs], seed: int) -> Pairs:
    """The training split without any pair that is drawn for validation."""
    pairs = read()
    chosen = _chosen(pairs, seed)
    return pairs.select([pair not in chosen for pair in zip(pairs.src, pairs.tgt, strict=True)])


def _chosen(pairs: Pairs, seed: int) -> set[tuple[str, str]]:
    different = list(dict.fromkeys(zip(pairs.src, pairs.tgt, strict=True)))
    if len(different) < 2:
        raise UserError("the training split has fewer than 2 different pairs, none to spare; give corpus.valid=…")
    count = min(MOST, max(1, int(SHARE * len(different))))
    places = np.random.default_rng(seed).choice(len(different), count, replace=False)
    return {different[place] for place in places}
