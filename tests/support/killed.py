"""Kill a process in the middle of its work."""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any


def killed_at(moment: int, work: Callable[[], object], is_change: Callable[[str, tuple[Any, ...]], bool]) -> bool:
    """Fork a process that does `work`, and kill it at change number `moment`, from 0; return whether it was killed.

    `is_change` decides whether an audit event of Python, with its arguments, is a change. If there are fewer changes,
    the process finishes the work.
    """
    child = os.fork()
    if child == 0:
        changes = count()

        def watch(event: str, arguments: tuple[Any, ...]) -> None:
            if is_change(event, arguments) and next(changes) == moment:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(watch)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0
