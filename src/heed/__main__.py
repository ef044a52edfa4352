"""`python -m heed train …`: the commands without the installed scripts, for example in a moved environment."""

import sys

from heed.cli.entry import COMMANDS, start

if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
    sys.exit(f"usage: python -m heed COMMAND [SETTINGS]; COMMAND is one of {', '.join(COMMANDS)}")
start(sys.argv.pop(1))
