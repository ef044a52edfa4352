"""What the process does with memory that a step has freed."""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Names of the settings in glibc's malloc.h."""

MOST = 2**30
MMAP_BEFORE, TRIM_BEFORE = 2**25, 2**26
"""Where the thresholds of a process that works on large tensors stand by themselves: glibc raises them with each large
block that is freed, up to these values, until they are set for the first time. 128 KiB, with which it begins, would
stay there from then on and make the process slower than one that never set them."""


@contextmanager
def freed_memory_reused() -> Iterator[None]:
    """As `reuse_freed_memory` while it is open."""
    reuse_freed_memory()
    try:
        yield
    finally:
        mallopt = _mallopt()
        mallopt(MMAP_THRESHOLD, MMAP_BEFORE)
        mallopt(TRIM_THRESHOLD, TRIM_BEFORE)


def reuse_freed_memory() -> None:
    """Let glibc keep blocks up to a gigabyte for the next step, which asks for the same ones again.

    By itself it hands large blocks back to the system and gets them again, every page of them zeroed and mapped at
    first touch: some 6 % of an update on a CPU, for which the process holds up to half as much more. Without glibc
    nothing happens.
    """
    mallopt = _mallopt()
    mallopt(MMAP_THRESHOLD, MOST) or mallopt(MMAP_THRESHOLD, 2**25)  # glibc before 2.35 takes no more
    mallopt(TRIM_THRESHOLD, MOST)


def _mallopt() -> Callable[[int, int], int]:
    """Glibc's function; without glibc, one that does nothing."""
    try:
        return ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return lambda setting, value: 0
