"""The command line. A command imports for seconds before it can print anything; Ctrl-C ends it silently meanwhile."""

import sys
from pathlib import Path

from heed.signals import end_silently_at_interrupt

_NAMES = ("heed-train", "heed-evaluate", "heed-translate", "heed-align")

if Path(sys.argv[0]).name in _NAMES or (sys.argv[0] == "-m" and any(one.startswith("heed.") for one in sys.orig_argv)):
    end_silently_at_interrupt()
