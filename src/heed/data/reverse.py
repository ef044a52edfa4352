"""A generated corpus with known attention: digits, and the same digits reversed."""

import random
from functools import partial

from heed.data.corpus import Corpus, Pairs
from heed.errors import UserError

# An untrusted model folder may name this corpus, so reading it must be bounded in time and memory.
MAX_LEN = 100
MAX_PAIRS = 1_000_000


def reverse(
    name: str = "reverse",
    train: int = 10_000,
    valid: int = 500,
    test: int = 1_000,
    min_len: int = 3,
    max_len: int = 12,
    seed: int = 1,
) -> Corpus:
    """Pairs such as `3 1 4` and `4 1 3`, with the exact alignment, which is the anti-diagonal.

    No source occurs twice in the corpus.

    Args:
        name: the name of the corpus.
        train, valid, test: the numbers of pairs.
        min_len, max_len: the smallest and largest number of digits.
        seed: the seed of the digits.

    Raises:
        UserError: a number is out of range, or there are not enough different sequences.
    """
    _check(train, valid, test, min_len, max_len)
    starts = {"train": (0, train), "valid": (train, valid), "test": (train + valid, test)}
    splits = {
        split: partial(_pairs, seed, start, size, min_len, max_len) for split, (start, size) in starts.items() if size
    }
    return Corpus(name, "digits", "reversed", splits)


def _check(train: int, valid: int, test: int, min_len: int, max_len: int) -> None:
    if min(train, valid, test) < 0 or not 1 <= min_len <= max_len <= MAX_LEN:
        raise UserError(
            f"reverse: sizes {train}, {valid}, {test} and lengths {min_len} to {max_len}; "
            f"expected sizes of 0 or more and 1 <= min_len <= max_len <= {MAX_LEN}"
        )
    # half of the number of longest sequences, so that drawing without repetition stays fast
    supported = min(10**max_len // 2, MAX_PAIRS)
    if train + valid + test > supported:
        raise UserError(
            f"reverse: {train + valid + test} pairs of at most {max_len} digits are too many to be different; "
            f"give at most {supported}"
        )


def _pairs(seed: int, start: int, size: int, min_len: int, max_len: int) -> Pairs:
    sources = _sequences(seed, start + size, min_len, max_len)[start:]
    return Pairs(
        src=[" ".join(digits) for digits in sources],
        tgt=[" ".join(reversed(digits)) for digits in sources],
        gold=[_anti_diagonal(len(digits)) for digits in sources],
    )


def _sequences(seed: int, count: int, min_len: int, max_len: int) -> list[str]:
    """The first `count` different sequences of the seed; a split is a slice of them."""
    random_state = random.Random(seed)
    seen: dict[str, None] = {}
    while len(seen) < count:
        length = random_state.randint(min_len, max_len)
        seen["".join(random_state.choices("0123456789", k=length))] = None
    return list(seen)


def _anti_diagonal(length: int) -> str:
    return " ".join(f"{i}-{length - 1 - i}" for i in range(length))
