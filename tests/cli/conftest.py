"""Undo what a command sets up in the process of the tests."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Remove the log handlers that a command adds: they would write to a captured stream after it is closed."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = [one for one in root.handlers if one in handlers]
    root.setLevel(level)
