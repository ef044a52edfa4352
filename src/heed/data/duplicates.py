"""Find pairs that occur more than once, in a corpus of any length."""

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
from jaxtyping import Bool

from heed.data.corpus import Pairs

BUCKETS = 64
"""The number of parts into which hashes are divided, so that sorting one part at a time needs little memory."""


def stripped(pairs: Pairs) -> Iterator[tuple[str, str]]:
    """Both sides of each pair without white space around them, which makes no difference: subwords do not have it."""
    return ((src.strip(), tgt.strip()) for src, tgt in zip(pairs.src, pairs.tgt, strict=True))


def repeated(pairs: Pairs) -> Bool[np.ndarray, "pairs"]:
    """For each pair, whether the same pair occurs before it. This needs at most 12 bytes of memory for each pair.

    Pairs are compared by 64-bit hashes. If two different pairs have the same hash, the later one counts as repeated.
    Among n different pairs, the probability of this is about n**2 / 2**65: 3e-8 for a million pairs, 3e-4 for a
    hundred million.
    """
    hashes = np.fromiter((_hash(src, tgt) for src, tgt in stripped(pairs)), np.uint64, len(pairs))
    bucket = hashes.view(np.uint8)[::8] % BUCKETS
    flags = np.zeros(len(pairs), bool)
    for number in range(BUCKETS):
        places = np.flatnonzero(bucket == number)
        places = places[np.argsort(hashes[places], kind="stable")]
        same = hashes[places[1:]] == hashes[places[:-1]]
        flags[places[1:][same]] = True
    return flags


def _hash(src: str, tgt: str) -> int:
    text = f"{len(src)} {src}{tgt}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")
