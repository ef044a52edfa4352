"""The corpus that a model folder names as its own; the folder may be untrusted."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from heed.data.corpus import Corpus
from heed.data.readers import parsed, reader
from heed.errors import UserError


class UnreadableCorpus(UserError):
    """The corpus of a model folder cannot be read, or is not read without being asked for.

    Args:
        reason: what is wrong. The message also advises to give a text, for commands that have such a setting.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason}; give the text to use (see --help)"


def own_corpus(about: Mapping[str, Any], folder: Path) -> Corpus:
    """The corpus named by the model folder `folder`.

    Nothing in the folder is resolved or executed, and no request is sent to an address that it names. Files outside
    the working directory are read only if the model is inside the run folder of a run on this corpus, because the user
    has named those paths before.

    Raises:
        UnreadableCorpus: the folder names no corpus, or one that is not read without being asked for.
    """
    settings, name = _named(about.get("corpus"))
    try:
        read = reader(name)
    except UserError:
        raise UnreadableCorpus("the model folder names no corpus that can be read") from None
    trusted = _is_of_run(name, settings, folder.parent / "config.yaml")
    settings = _without_urls(settings)
    if not trusted:
        _check_inside(settings)
    arguments, faults = parsed(settings, read)
    if faults:
        raise UnreadableCorpus(f"the corpus that the model folder names cannot be read ({', '.join(faults)})")
    return read(**arguments)


def _named(corpus: object) -> tuple[dict[str, Any], str]:
    """The settings of a corpus, and the name of its reader, which in older runs is the last part of a `_target_`."""
    settings = dict(corpus) if isinstance(corpus, dict) else {}
    target = settings.pop("_target_", "") if "reader" not in settings else ""
    return settings, str(settings.pop("reader", str(target).rpartition(".")[2]))


def _is_of_run(name: str, settings: Mapping[str, Any], config: Path) -> bool:
    """Whether the model is in the folder of a run on the same corpus, so that the user has named its paths before."""
    try:
        run = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return isinstance(run, dict) and _named(run.get("corpus")) == (settings, name)


def _without_urls(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without any `url`, which an untrusted folder could use to send a request anywhere."""
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
    """Every string in a setting, which may be a list or a mapping."""
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
        raise UnreadableCorpus(f"the model folder names a corpus by {key}={value!r}")
    # languages are checked too, because they are part of file names
    inside = Path(os.path.abspath(value)).is_relative_to(Path.cwd())  # noqa: PTH100 - symlinks are the user's own
    if "://" in value or not inside:
        raise UnreadableCorpus(
            f"the model folder names a corpus outside {Path.cwd()}, {key}={value}, which is not read automatically"
        )
