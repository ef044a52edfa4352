"""`python -m heed train …`: the commands without the installed scripts, for example in a moved environment."""

from heed.cli.entry import choose

choose()
