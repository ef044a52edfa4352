"""Make permission bits apply to root too."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

OVERRIDE = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, linux/capability.h
VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3: two words of each set


class Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class Word(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextmanager
def permissions_count() -> Iterator[None]:
    """Make the permission bits of files and folders apply to this thread, even if it runs as root.

    Root may read and write anything because of two capabilities, which are dropped here. Switching to another user
    would not work, because that user cannot access a checkout below root's home.
    """
    if os.geteuid() or sys.platform != "linux":
        yield
        return
    system, header, words = ctypes.CDLL(None, use_errno=True), Header(VERSION, 0), (Word * 2)()

    def check(result: int) -> None:
        if result:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    check(system.capget(ctypes.byref(header), words))
    before = words[0].effective
    words[0].effective = before & ~OVERRIDE
    check(system.capset(ctypes.byref(header), words))
    try:
        yield
    finally:
        words[0].effective = before
        check(system.capset(ctypes.byref(header), words))
