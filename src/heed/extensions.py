"""Scores, corpus readers, searches and metrics from outside the package.

An installed distribution names a module under the entry point group `heed.extensions`; importing that module registers
what it defines, with the same functions that heed registers its own with. In a script, importing the module is enough.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from heed.errors import UserError

GROUP = "heed.extensions"


@cache
def load() -> None:
    """Import the module of every installed extension, once for the process.

    Raises:
        UserError: a module that cannot be imported, with the name of its distribution.
    """
    for entry_point in entry_points(group=GROUP):
        _load(entry_point)


def _load(entry_point: EntryPoint) -> None:
    try:
        entry_point.load()
    except Exception as error:
        owner = entry_point.dist.name if entry_point.dist else entry_point.name
        raise UserError(
            f"extension {entry_point.value} of {owner} cannot be imported ({type(error).__name__}: {error}); "
            f"repair it, or uninstall {owner}"
        ) from error
