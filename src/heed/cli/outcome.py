"""From any outcome of a command to its exit code, and to what is printed of it.

Exit codes: 0; 2 for what the user can mend, with one line on stderr; 1 for a fault of heed, with its traceback; 130
after Ctrl-C; 143 after SIGTERM; 141 when the reader of the output has gone, as for any program in a pipe.
"""

import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from heed.cli.streams import discard_output, is_fault, print_error, unwritten
from heed.cli.sweep import Ended
from heed.errors import UserError
from heed.signals import Terminated
from heed.training.processes import await_turn, process_rank


def exit_code(name: str, action: Callable[[], int], resumes: bool) -> int:
    """The exit code of `heed-<name>` after `action`; prints that the same command `resumes` what was stopped."""
    try:
        return ended(name, action).code
    except (KeyboardInterrupt, Terminated) as stopped:
        if resumes and process_rank() == 0:  # of several processes the first prints it
            print_error(f"heed-{name}: {_stopped(getattr(stopped, 'step', None))}")
        return 143 if isinstance(stopped, Terminated) else 130
    except SystemExit as leaving:
        return cast(int, leaving.code or 0)


def ended(name: str, action: Callable[[], int]) -> Ended:
    """How `action` ended, unless by a signal or by an exit; what was wrong is printed."""
    try:
        code = action()
        sys.stdout.flush()
    except UserError as error:
        await_turn()
        return _refused(name, str(error))
    except BrokenPipeError:
        discard_output()
        return Ended(141, "the reader of the output has gone")
    except OSError as error:
        if not is_fault(error):
            return _fault(error)
        discard_output()
        return _refused(name, unwritten(error))
    except Exception as error:
        return _fault(error)
    return Ended(code)


def print_no_disk_faults(fault: threading.ExceptHookArgs) -> None:
    """Print what ended a thread, but not what TensorBoard's writer could not write, which it raises later too."""
    if not issubclass(fault.exc_type, OSError):
        threading.__excepthook__(fault)


def _refused(name: str, message: str) -> Ended:
    print_error(f"heed-{name}: {_one_line(message)}")
    return Ended(2, _one_line(message))


def _fault(error: Exception) -> Ended:
    with suppress(OSError):
        traceback.print_exception(error)
    return Ended(1, _one_line(f"a fault of heed: {error!r}"))


def _stopped(step: int | None) -> str:
    if step:
        return f"stopped after step {step:,}; the same command goes on from there"
    return "stopped; the same command goes on from what is saved, or begins again"


def _one_line(message: str) -> str:
    """A message in one line, with no control character that a stranger's file may have put into it."""
    return "".join(sign if sign.isprintable() else "�" for sign in " ".join(message.split()))
