"""Parts of a config as plain arguments, for the commands that need the same ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heed.errors import UserError
from heed.search.registry import search


def search_settings(node: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of a search and its settings, checked before anything is loaded.

    Raises:
        UserError: a search or a setting that does not exist.
    """
    settings = dict(node)
    name, n_best = settings.pop("name", None), settings.pop("n_best", None)
    if not isinstance(name, str):
        raise UserError(f"search.name={name}: expected the name of a search, such as beam")
    search(name).bind(settings, n_best)
    return name, {**settings, "n_best": n_best}


def only_model(model: str | Sequence[str], what: str) -> Path:
    """The model folder beside which results are written; `what` is DIR or FILE, which `output` names.

    Raises:
        UserError: several models.
    """
    if not isinstance(model, str):
        raise UserError(f"model=[{','.join(model)}] lies in no one place; say where to write with output={what}")
    return Path(model)
