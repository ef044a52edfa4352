"""Settings from overrides, composed and checked as on a command line."""

from typing import TypeVar

from heed.cli.config import compose, plain
from heed.settings import parse

T = TypeVar("T")


def settings_of(name: str, schema: type[T], *overrides: str) -> T:
    """The settings of the command `name`."""
    return parse(schema, plain(compose(name, list(overrides))))
