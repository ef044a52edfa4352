"""Sort pairs by their lengths, before they are divided into batches."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int64, UInt32

from heed.data.encoded import Encoded

AT_ONCE = 2**18
"""The number of pairs that are sorted at once; each takes about a hundred bytes of memory."""


def by_length(
    encoded: Encoded,
    noise: Float[np.ndarray, "read"] | None = None,
    pairs: Int64[np.ndarray, "read"] | None = None,
) -> UInt32[np.ndarray, "read"]:
    """Sort pairs by source length, then by target length, then by `noise`.

    Target lengths alternate between ascending and descending order, so that neighbours at a change of the source length
    have similar target lengths too.

    The order is the same as that of `np.lexsort`. If all pairs are sorted, this needs 4 bytes of memory for each: the
    pairs are first divided by source length, and neighbouring lengths with up to `AT_ONCE` pairs are then sorted
    together. A single source length with more pairs is sorted at once.

    Args:
        encoded: the pairs as subwords.
        noise: a random number for each of the sorted pairs; without it, pairs of equal lengths keep their order.
        pairs: the numbers of the pairs to sort, which may repeat; None for all pairs.

    Returns:
        The numbers of the pairs in the new order.
    """
    if pairs is not None:
        order: UInt32[np.ndarray, " read"] = pairs[_sorted(encoded, pairs, noise)].astype(np.uint32)
        return order
    ends = _counts(encoded).cumsum()
    order = _by_source_length(encoded, ends)
    for start, stop in _runs(ends):
        some = order[start:stop].astype(np.int64)
        order[start:stop] = some[_sorted(encoded, some, None if noise is None else noise[some])]
    return order


def _sorted(
    encoded: Encoded, pairs: Int64[np.ndarray, "some"], noise: Float[np.ndarray, "some"] | None
) -> Int64[np.ndarray, "some"]:
    src_len, tgt_len = encoded.lengths(pairs)
    turned = np.where(src_len % 2, -tgt_len, tgt_len)
    keys = (turned, src_len) if noise is None else (noise, turned, src_len)
    return np.lexsort(keys)


def portions(encoded: Encoded) -> Iterator[Int64[np.ndarray, "some"]]:
    """The numbers of all pairs, in portions of `AT_ONCE`."""
    for start in range(0, len(encoded), AT_ONCE):
        yield np.arange(start, min(start + AT_ONCE, len(encoded)))


def _counts(encoded: Encoded) -> Int64[np.ndarray, "lengths"]:
    """The number of pairs with each source length."""
    counts = np.zeros(1, np.int64)
    for pairs in portions(encoded):
        more = np.bincount(encoded.lengths(pairs)[0], minlength=len(counts))
        more[: len(counts)] += counts
        counts = more
    return counts


def _by_source_length(encoded: Encoded, ends: Int64[np.ndarray, "lengths"]) -> UInt32[np.ndarray, "pairs"]:
    """The pairs sorted by source length; pairs of equal lengths keep their order."""
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
    """The ranges of neighbouring lengths that are sorted together."""
    start = 0
    while start < ends[-1]:
        stop = int(max(ends[ends > start].min(), ends[ends <= start + AT_ONCE].max(initial=0)))
        yield start, stop
        start = stop
