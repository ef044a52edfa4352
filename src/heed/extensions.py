"""Scores, corpus readers, searches and metrics from outside the package.

An installed distribution names a module under the entry point group `heed.extensions`; importing that module registers
what it defines, with the same functions that heed registers its own with. In a script, importing the module is enough.
"""

from functools import cache
from importlib.metadata import entry_points

GROUP = "heed.extensions"


@cache
def load() -> None:
    """Import the module of every installed extension, once for the process."""
    for entry_point in entry_points(group=GROUP):
        entry_point.load()
