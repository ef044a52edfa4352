"""Scores, corpus readers, searches and metrics from outside the package.

An installed distribution names a module under the entry point group `heed.extensions`; importing that module registers
what it defines, with the same functions that heed uses for its own. In a script, importing the module is enough.
A package may contain a folder `configs` with the config options for what it registers.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from heed.errors import UserError

GROUP = "heed.extensions"


@cache
def load() -> None:
    """Import the module of every installed extension, once per process.

    Raises:
        UserError: a module cannot be imported; the message names its distribution.
    """
    for entry_point in entry_points(group=GROUP):
        _load(entry_point)


def config_folders() -> list[Path]:
    """The folders `configs` of installed extensions; only parent packages are imported to find them."""
    specs = [find_spec(entry_point.module) for entry_point in entry_points(group=GROUP)]
    places = [Path(place, "configs") for spec in specs if spec for place in spec.submodule_search_locations or ()]
    return [folder for folder in places if folder.is_dir()]


def _load(entry_point: EntryPoint) -> None:
    try:
        entry_point.load()
    except Exception as error:
        owner = entry_point.dist.name if entry_point.dist else entry_point.name
        raise UserError(
            f"extension {entry_point.value} of {owner} cannot be imported ({type(error).__name__}: {error}); "
            f"repair it, or uninstall {owner}"
        ) from error
