"""Sort pairs by their lengths, before they are divided into batches."""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Int64, UInt32

from heed.data.encoded import Encoded

AT_ONCE = 2**18
"""The number of pairs that are sorted at once; each takes about seventy bytes of memory."""


def by_length(
    encoded: Encoded,
    noise: Float[np.ndarray, "read"] | None = None,
    pairs: Int64[np.ndarray, "read"] | None = None,
) -> UInt32[np.ndarray, "read"]:
    """Sort pairs by source length, then by target length, then by `noise`.

    Target lengths alternate between ascending and descending order, so that neighbours at a change of the source length
    have similar target lengths too.

    The order is the same as that of `np.lexsort`, but sorting needs only 4 bytes of memory for each pair: the pairs are
    first divided by their two lengths, and neighbours with up to `AT_ONCE` pairs are then sorted together. More than
    `AT_ONCE` pairs with the same two lengths are sorted at once, by `noise`.

    Args:
        encoded: the pairs as subwords.
        noise: a random number for each of the sorted pairs; without it, pairs of equal lengths keep their order.
        pairs: the numbers of the pairs to sort, which may repeat; None for all pairs.

    Returns:
        The numbers of the pairs in the new order.
    """

    def lengths(some: Int64[np.ndarray, "some"]) -> tuple[Int64[np.ndarray, "some"], Int64[np.ndarray, "some"]]:
        """The source lengths, and the target lengths, negative where ascending order is to begin with the longest."""
        src_len, tgt_len = encoded.lengths(some if pairs is None else pairs[some])
        return src_len, np.where(src_len % 2, -tgt_len, tgt_len)

    order, ends = _divided(len(encoded) if pairs is None else len(pairs), lengths)
    if noise is not None:
        for part in _runs(order, ends):
            some = part.astype(np.int64)
            src_len, turned = lengths(some)
            part[:] = some[np.lexsort((noise[some], turned, src_len))]
    return order if pairs is None else pairs[order].astype(np.uint32)


def portions(size: int) -> Iterator[Int64[np.ndarray, "some"]]:
    """The numbers from 0 to `size` - 1, in portions of `AT_ONCE`."""
    for start in range(0, size, AT_ONCE):
        yield np.arange(start, min(start + AT_ONCE, size))


def _divided(
    size: int,
    lengths: Callable[[Int64[np.ndarray, "some"]], tuple[Int64[np.ndarray, "some"], Int64[np.ndarray, "some"]]],
) -> tuple[UInt32[np.ndarray, "size"], Int64[np.ndarray, "kinds"]]:
    """The numbers from 0 to `size` - 1 sorted by both lengths, and where each kind, two equal lengths, ends there."""
    longest = max((int(abs(lengths(some)[1]).max()) for some in portions(size)), default=0)

    def kinds_of(some: Int64[np.ndarray, "some"]) -> Int64[np.ndarray, "some"]:
        src_len, turned = lengths(some)
        found: Int64[np.ndarray, " some"] = src_len * (2 * longest + 1) + turned
        return found

    kinds, counts = np.empty(0, np.int64), np.empty(0, np.int64)
    for some in portions(size):
        more, own = np.unique(kinds_of(some), return_counts=True)
        kinds, place = np.unique(np.concatenate([kinds, more]), return_inverse=True)
        counts = np.bincount(place, np.concatenate([counts, own])).astype(np.int64)
    ends = counts.cumsum()
    order, free = np.empty(size, np.uint32), ends - counts
    for some in portions(size):
        place = np.searchsorted(kinds, kinds_of(some))
        own = np.bincount(place, minlength=len(kinds))
        before = own.cumsum() - own
        order[np.repeat(free - before, own) + np.arange(len(some))] = some[np.argsort(place, kind="stable")]
        free += own
    return order, ends


def _runs(order: UInt32[np.ndarray, "size"], ends: Int64[np.ndarray, "kinds"]) -> Iterator[UInt32[np.ndarray, "some"]]:
    """The parts of `order` that are sorted together: up to `AT_ONCE` pairs, or more of equal lengths."""
    start = 0
    while start < len(order):
        stop = int(max(ends[ends > start].min(), ends[ends <= start + AT_ONCE].max(initial=0)))
        yield order[start:stop]
        start = stop
