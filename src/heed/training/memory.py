"""What the process does with memory that a step has freed."""

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Names of the settings in glibc's malloc.h."""

MOST = 2**30


def keep_freed() -> None:
    """Let glibc keep blocks up to a gigabyte for the next step, which asks for the same ones again.

    By itself it hands large blocks back and gets them anew, every page of them zeroed and mapped at first touch: some
    6 % of an update on a CPU, for which the process holds up to half as much more. Elsewhere than on glibc nothing
    happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(MMAP_THRESHOLD, MOST) or mallopt(MMAP_THRESHOLD, 2**25)  # glibc before 2.35 takes no more
    mallopt(TRIM_THRESHOLD, MOST)
