"""A corpus by the name of its reader, as a model folder names the one that it was trained on."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, ValidationError, validate_call

from heed.data.corpus import Corpus, files, tsv
from heed.data.fetch import multi30k
from heed.data.reverse import reverse
from heed.errors import UserError

READERS: dict[str, Callable[..., Corpus]] = {"files": files, "tsv": tsv, "reverse": reverse, "multi30k": multi30k}
"""What may be named."""


def own_corpus(about: Mapping[str, Any], folder: Path) -> Corpus:
    """The corpus that the model folder `folder` names, below the working directory unless the run around it was on it.

    It may be a stranger's folder: nothing in it is resolved or built, and no file is read that it has no business with.
    """
    named = about.get("corpus")
    settings = dict(named) if isinstance(named, dict) else {}
    reader = str(settings.pop("reader", None))
    if reader not in READERS:
        raise UserError("the model folder names no corpus that can be read; say which text to read (see --help)")
    trusted = _is_of_run(settings, folder.parent / "config.yaml")
    settings.pop("url", None)  # says nothing of the text, and a stranger's could send a request anywhere
    if not trusted:
        _check_inside(settings)
    try:
        return validate_call(config=ConfigDict(strict=True))(READERS[reader])(**settings)
    except ValidationError as error:
        wrong = ", ".join(str(fault["loc"][0]) for fault in error.errors())
        raise UserError(
            f"the corpus that the model folder names cannot be read ({wrong}); say which text to read (see --help)"
        ) from error


def _is_of_run(settings: Mapping[str, Any], config: Path) -> bool:
    """Whether the model lies in the folder of a run on this very corpus: then its user has named those paths before."""
    try:
        run = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    named = run.get("corpus") if isinstance(run, dict) else None
    return isinstance(named, dict) and {key: value for key, value in named.items() if key != "_target_"} == settings


def _check_inside(settings: Mapping[str, Any]) -> None:
    for key, value in settings.items():
        if not isinstance(value, str):
            continue
        if not value.isprintable():
            raise UserError(f"the model folder names a corpus by {key}={value!r}; say which text to read (see --help)")
        # the languages count too: they end the name of a file
        if not Path(os.path.abspath(value)).is_relative_to(Path.cwd()):  # noqa: PTH100 - links are the user's own
            raise UserError(
                f"the model folder names a corpus outside {Path.cwd()}, {key}={value}, which is not read unasked; "
                "say yourself which text to read (see --help)"
            )
