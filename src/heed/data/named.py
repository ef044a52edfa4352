"""A corpus by the name of its reader, as a model folder names the one that it was trained on."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ConfigDict, ValidationError, validate_call

from heed.data.corpus import Corpus, files, tsv
from heed.data.reverse import reverse
from heed.errors import UserError

READERS: dict[str, Callable[..., Corpus]] = {"files": files, "tsv": tsv, "reverse": reverse}
"""What may be named."""


def own_corpus(about: Mapping[str, Any]) -> Corpus:
    """The corpus that a model folder names. It may be a stranger's folder: nothing in it is resolved or built."""
    named = about.get("corpus")
    settings = dict(named) if isinstance(named, dict) else {}
    reader = str(settings.pop("reader", None))
    if reader not in READERS:
        raise UserError("the model folder names no corpus that can be read; say which text to read (see --help)")
    try:
        return validate_call(config=ConfigDict(strict=True))(READERS[reader])(**settings)
    except ValidationError as error:
        wrong = ", ".join(str(fault["loc"][0]) for fault in error.errors())
        raise UserError(
            f"the corpus that the model folder names cannot be read ({wrong}); say which text to read (see --help)"
        ) from error
