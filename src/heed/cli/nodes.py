"""Parts of a config as plain arguments, for the commands that need the same ones."""

from typing import Any

from omegaconf import DictConfig

from heed.search.registry import search


def search_settings(node: DictConfig) -> tuple[str, dict[str, Any]]:
    """The name of a search and its settings, checked before anything is loaded.

    Raises:
        UserError: a search or a setting that does not exist.
    """
    settings = {str(key): value for key, value in node.items()}
    name, n_best = str(settings.pop("name")), settings.pop("n_best", None)
    search(name).bind(settings, n_best)
    return name, {**settings, "n_best": n_best}
