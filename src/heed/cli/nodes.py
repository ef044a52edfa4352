"""Parts of a config that several commands convert to plain arguments."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heed.errors import UserError
from heed.search.registry import search


def search_settings(node: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of a search and its settings, checked before anything is loaded.

    Raises:
        UserError: the search or a setting does not exist.
    """
    settings = dict(node)
    name, n_best = settings.pop("name", None), settings.pop("n_best", None)
    if not isinstance(name, str):
        raise UserError(f"search.name={name}: expected the name of a search, such as beam")
    search(name).bind(settings, n_best)
    return name, {**settings, "n_best": n_best}


def only_model(model: str | Sequence[str], what: str) -> Path:
    """The model folder beside which results are written.

    Args:
        model: a model folder, or a list of one.
        what: DIR or FILE, which `output` would name; for the message.

    Raises:
        UserError: several models are given.
    """
    if not isinstance(model, str):
        raise UserError(f"model=[{','.join(model)}]: several models have no common folder; give output={what}")
    return Path(model)
