"""Sequence-to-sequence translation with attention that can be seen, measured and trusted."""

import signal
import sys
from pathlib import Path

# A door imports for seconds before it can say anything. Ctrl-C ends it there in silence, as it ends a program in C;
# Python would show at which line of torch it was. Once it runs, the door listens itself.
if (sys.argv[0] == "-m" or Path(sys.argv[0]).name.startswith("heed-")) and (
    signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
