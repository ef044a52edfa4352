"""Turn the outcome of a command into its exit code and its message.

Exit codes: 0; 2 for an error that the user can fix, with one line on stderr; 1 for a bug in heed, with its traceback;
130 after Ctrl-C; 143 after SIGTERM; 141 if the reader of the output has exited, as for any program in a pipe.
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
from heed.training.ranks import await_turn, process_rank


def exit_code(name: str, action: Callable[[], int], resumes: bool) -> int:
    """Run `action`, return the exit code of `heed-<name>`; after a stop, print that the same command `resumes` it."""
    try:
        return ended(name, action).code
    except (KeyboardInterrupt, Terminated) as stopped:
        if resumes and process_rank() == 0:  # only the first of several processes prints it
            print_error(f"heed-{name}: {_stopped(getattr(stopped, 'step', None))}")
        return 143 if isinstance(stopped, Terminated) else 130
    except SystemExit as leaving:
        return cast(int, leaving.code or 0)


def ended(name: str, action: Callable[[], int]) -> Ended:
    """Run `action` and return how it ended, unless by a signal or an exit; print the error if there is one."""
    try:
        code = action()
        sys.stdout.flush()
    except UserError as error:
        await_turn()
        return _refused(name, str(error))
    except BrokenPipeError:
        discard_output()
        return Ended(141, "the reader of the output has exited")
    except OSError as error:
        if not is_fault(error):
            return _fault(error)
        discard_output()
        return _refused(name, unwritten(error))
    except Exception as error:
        return _fault(error)
    return Ended(code)


def print_no_disk_faults(fault: threading.ExceptHookArgs) -> None:
    """Print the exception that ended a thread, except TensorBoard's failed writes, which it raises again later."""
    if not issubclass(fault.exc_type, OSError):
        threading.__excepthook__(fault)


def _refused(name: str, message: str) -> Ended:
    print_error(f"heed-{name}: {_one_line(message)}")
    return Ended(2, _one_line(message))


def _fault(error: Exception) -> Ended:
    with suppress(OSError):
        traceback.print_exception(error)
    return Ended(1, _one_line(f"a bug in heed: {error!r}"))


def _stopped(step: int | None) -> str:
    if step:
        return f"stopped after step {step:,}; the same command resumes from there"
    return "stopped; the same command resumes from what is saved, or starts again"


def _one_line(message: str) -> str:
    """The message in one line, without control characters, which may come from an untrusted file."""
    return "".join(sign if sign.isprintable() else "�" for sign in " ".join(message.split()))
