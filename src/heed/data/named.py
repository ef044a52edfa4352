"""The corpus that a model folder names as its own, which may be a stranger's folder."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from heed.data.corpus import Corpus
from heed.data.readers import parsed, reader
from heed.errors import UserError


def own_corpus(about: Mapping[str, Any], folder: Path) -> Corpus:
    """The corpus that the model folder `folder` names, below the working directory unless the run around it was on it.

    Nothing in it is resolved or built, no request is sent where it says, and no file is read outside the working
    directory that the user has not named before.

    Raises:
        UserError: it names no corpus, or one that is not read unasked.
    """
    settings, name = _named(about.get("corpus"))
    try:
        read = reader(name)
    except UserError:
        raise UserError(
            "the model folder names no corpus that can be read; say which text to read (see --help)"
        ) from None
    trusted = _is_of_run(name, settings, folder.parent / "config.yaml")
    settings = _without_urls(settings)
    if not trusted:
        _check_inside(settings)
    arguments, faults = parsed(settings, read)
    if faults:
        raise UserError(
            f"the corpus that the model folder names cannot be read ({', '.join(faults)}); say which text to read "
            "(see --help)"
        )
    return read(**arguments)


def _named(corpus: object) -> tuple[dict[str, Any], str]:
    """The settings of a corpus, and the name of its reader, which an older run has as the end of a `_target_`."""
    settings = dict(corpus) if isinstance(corpus, dict) else {}
    target = settings.pop("_target_", "") if "reader" not in settings else ""
    return settings, str(settings.pop("reader", str(target).rpartition(".")[2]))


def _is_of_run(name: str, settings: Mapping[str, Any], config: Path) -> bool:
    """Whether the model lies in the folder of a run on this very corpus: then its user has named those paths before."""
    try:
        run = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return isinstance(run, dict) and _named(run.get("corpus")) == (settings, name)


def _without_urls(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without any `url`: it says nothing of the text, and a stranger's could send a request anywhere."""
    return {
        key: _without_urls(value) if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if key != "url"
    }


def _check_inside(settings: Mapping[str, Any]) -> None:
    for key, value in settings.items():
        for text in _texts(value):
            _check_path(key, text)


def _texts(value: object) -> Iterator[str]:
    """Every text in a setting, which may be a list of them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from (*_texts(key), *_texts(below))
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _texts(below)


def _check_path(key: str, value: str) -> None:
    if not value.isprintable():
        raise UserError(f"the model folder names a corpus by {key}={value!r}; say which text to read (see --help)")
    # the languages count too: they end the name of a file
    inside = Path(os.path.abspath(value)).is_relative_to(Path.cwd())  # noqa: PTH100 - links are the user's own
    if "://" in value or not inside:
        raise UserError(
            f"the model folder names a corpus outside {Path.cwd()}, {key}={value}, which is not read unasked; "
            "say yourself which text to read (see --help)"
        )
