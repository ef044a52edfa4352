"""The flags of a command and its overrides."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from heed.errors import UserError

OTHERS = ("--hydra-help", "--info", "-i", "--shell-completion", "-sc")
"""Flags that Hydra itself handles."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(
            f"{message}; write settings as key=value, without dashes, and all of them before or all after the flags "
            "(see --help)"
        )


def read_flags(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse flags and overrides. Raise UserError for a flag that does not exist."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--multirun", "-m", action="store_true")
    parser.add_argument("--cfg", "-c", choices=["job"])
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument("--package", "-p")
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("overrides", nargs="*")
    return parser.parse_args(arguments)
