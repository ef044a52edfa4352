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
    pairs are first divided by their two lengths, and neighbours with up to `AT_ONCE` pairs are then sorted together.
    More than `AT_ONCE` pairs with the same two lengths are sorted at once, by `noise`.

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
    order, ends = _divided(encoded)
    for part in _runs(order, ends):
        some = part.astype(np.int64)
        part[:] = some[_sorted(encoded, some, None if noise is None else noise[some])]
    return order


def portions(encoded: Encoded) -> Iterator[Int64[np.ndarray, "some"]]:
    """The numbers of all pairs, in portions of `AT_ONCE`."""
    for start in range(0, len(encoded), AT_ONCE):
        yield np.arange(start, min(start + AT_ONCE, len(encoded)))


def _sorted(
    encoded: Encoded, pairs: Int64[np.ndarray, "some"], noise: Float[np.ndarray, "some"] | None
) -> Int64[np.ndarray, "some"]:
    src_len, tgt_len = encoded.lengths(pairs)
    lengths = (_turned(src_len, tgt_len), src_len)
    return np.lexsort(lengths if noise is None else (noise, *lengths))


def _turned(src_len: Int64[np.ndarray, "some"], tgt_len: Int64[np.ndarray, "some"]) -> Int64[np.ndarray, "some"]:
    """Target lengths that ascend where the pairs are sorted by ascending or descending target length in turn."""
    turned: Int64[np.ndarray, " some"] = np.where(src_len % 2, -tgt_len, tgt_len)
    return turned


def _divided(encoded: Encoded) -> tuple[UInt32[np.ndarray, "pairs"], Int64[np.ndarray, "kinds"]]:
    """All pairs sorted by their lengths as in `_sorted`, those of equal lengths in their order; and where they end."""
    longest = max((int(encoded.lengths(pairs)[1].max()) for pairs in portions(encoded)), default=0)

    def kinds_of(pairs: Int64[np.ndarray, "some"]) -> Int64[np.ndarray, "some"]:
        src_len, tgt_len = encoded.lengths(pairs)
        found: Int64[np.ndarray, " some"] = src_len * (2 * longest + 1) + _turned(src_len, tgt_len)
        return found

    kinds, counts = np.empty(0, np.int64), np.empty(0, np.int64)
    for pairs in portions(encoded):
        more, own = np.unique(kinds_of(pairs), return_counts=True)
        kinds, place = np.unique(np.concatenate([kinds, more]), return_inverse=True)
        counts = np.bincount(place, np.concatenate([counts, own])).astype(np.int64)
    ends = counts.cumsum()
    order, free = np.empty(len(encoded), np.uint32), ends - counts
    for pairs in portions(encoded):
        place = np.searchsorted(kinds, kinds_of(pairs))
        own = np.bincount(place, minlength=len(kinds))
        before = own.cumsum() - own
        order[np.repeat(free - before, own) + np.arange(len(pairs))] = pairs[np.argsort(place, kind="stable")]
        free += own
    return order, ends


def _runs(order: UInt32[np.ndarray, "pairs"], ends: Int64[np.ndarray, "kinds"]) -> Iterator[UInt32[np.ndarray, "some"]]:
    """The parts of `order` that are sorted together: up to `AT_ONCE` pairs, or more of equal lengths."""
    start = 0
    while start < len(order):
        stop = int(max(ends[ends > start].min(), ends[ends <= start + AT_ONCE].max(initial=0)))
        yield order[start:stop]
        start = stop
