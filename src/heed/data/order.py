"""The order in which pairs are cut into batches: by their lengths."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int64, UInt32

from heed.data.encoded import Encoded

AT_ONCE = 2**18
"""Pairs that are sorted at once; of these few, memory has some hundred bytes each."""


def by_length(encoded: Encoded, noise: Float[np.ndarray, "pairs"] | None = None) -> UInt32[np.ndarray, "pairs"]:
    """The pairs, sorted by both lengths and, among equals, by `noise`, or as they stand.

    The target lengths run up and down in turn, so that the step from one source length to the next costs nothing.

    It is the order that `np.lexsort` gives, in 4 bytes of memory a pair: the pairs are dealt out by their source
    length, and neighbouring lengths are sorted together as long as they have no more than `AT_ONCE` pairs. (More only
    if a single source length has more.)
    """
    ends = _counts(encoded).cumsum()
    order = _dealt(encoded, ends)
    for start, stop in _runs(ends):
        pairs = order[start:stop].astype(np.int64)
        src_len, tgt_len = encoded.lengths(pairs)
        turned = np.where(src_len % 2, -tgt_len, tgt_len)
        keys = (turned, src_len) if noise is None else (noise[pairs], turned, src_len)
        order[start:stop] = pairs[np.lexsort(keys)]
    return order


def portions(encoded: Encoded) -> Iterator[Int64[np.ndarray, "some"]]:
    """The numbers of all pairs, `AT_ONCE` at a time."""
    for start in range(0, len(encoded), AT_ONCE):
        yield np.arange(start, min(start + AT_ONCE, len(encoded)))


def _counts(encoded: Encoded) -> Int64[np.ndarray, "lengths"]:
    """How many pairs there are of each source length."""
    counts = np.zeros(1, np.int64)
    for pairs in portions(encoded):
        more = np.bincount(encoded.lengths(pairs)[0], minlength=len(counts))
        more[: len(counts)] += counts
        counts = more
    return counts


def _dealt(encoded: Encoded, ends: Int64[np.ndarray, "lengths"]) -> UInt32[np.ndarray, "pairs"]:
    """The pairs by source length; those of one length as they stand."""
    order = np.empty(len(encoded), np.uint32)
    free = np.concatenate([[0], ends[:-1]])
    for pairs in portions(encoded):
        src_len, _ = encoded.lengths(pairs)
        sort = np.argsort(src_len, kind="stable")
        own = np.bincount(src_len, minlength=len(free))
        before = np.concatenate([[0], own.cumsum()[:-1]])
        order[np.repeat(free - before, own) + np.arange(len(pairs))] = pairs[sort]
        free += own
    return order


def _runs(ends: Int64[np.ndarray, "lengths"]) -> Iterator[tuple[int, int]]:
    """Where pairs of neighbouring lengths begin and end that are sorted at once."""
    start = 0
    while start < ends[-1]:
        stop = int(max(ends[ends > start].min(), ends[ends <= start + AT_ONCE].max(initial=0)))
        yield start, stop
        start = stop
