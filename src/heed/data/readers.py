"""Corpus readers by name: training, evaluation and sweeps all find a corpus here.

A reader is a function that takes the settings of a corpus and returns it without reading any text:

    @register("sentences")
    def sentences(name: str, folder: str) -> Corpus:
        return Corpus(name, "en", "fr", {split: partial(read, folder, split) for split in ("train", "valid")})

It is then chosen by `corpus.reader=sentences`. Its signature is the schema of its settings: names, types, defaults.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from heed import extensions
from heed.data.cmudict import cmudict
from heed.data.corpus import Corpus
from heed.data.dates import dates
from heed.data.fetch import multi30k
from heed.data.reverse import reverse
from heed.data.tatoeba import tatoeba
from heed.data.text_files import files, tsv
from heed.data.tiny import tiny
from heed.errors import UserError
from heed.settings import MISSING, checked, instead, nearest, shown, without_value

Reader = Callable[..., Corpus]

R = TypeVar("R", bound=Reader)

_READERS: dict[str, Reader] = {}


def register(name: str) -> Callable[[R], R]:
    """Decorator that makes a reader known as `name`.

    Raises:
        ValueError: another reader has this name already.
    """

    def add(read: R) -> R:
        other = _READERS.get(name, read)
        if _place(other) != _place(read):
            raise ValueError(
                f"corpus reader {name} is {_place(other)} already; register {_place(read)} by another name"
            )
        _READERS[name] = read
        return read

    return add


def reader(name: str) -> Reader:
    """The reader that was registered as `name`, here or by an installed extension.

    Raises:
        UserError: there is none.
    """
    if name not in _READERS:
        extensions.load()
    if name not in _READERS:
        near = nearest(name, _READERS)
        raise UserError(f"corpus.reader={name}: there is no such reader; expected {', '.join(_READERS)}{near}")
    return _READERS[name]


def read_corpus(settings: Mapping[str, Any]) -> Corpus:
    """The corpus that settings describe; `settings["reader"]` names the reader, which takes all others.

    The text itself is read when a split is asked for.

    Raises:
        UserError: settings that the reader does not take, in one line.
    """
    given = dict(settings)
    name = given.pop("reader", None)
    if not isinstance(name, str):
        raise UserError(f"corpus.reader={name}: expected the name of a reader, such as {', '.join(_READERS)}")
    read = reader(name)
    arguments, faults = parsed(given, read)
    if faults:
        raise UserError("; ".join(faults.values()))
    return read(**arguments)


def parsed(settings: Mapping[str, Any], read: Reader) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings as the reader's annotations have them, and by key what is wrong with the others, one line each.

    Types are strict, as in JSON: "3" is not 3, but a list may be a tuple, and a text a path.
    """
    parameters = inspect.signature(read, eval_str=True).parameters
    missing = [name for name, parameter in parameters.items() if _is_required(parameter) and name not in settings]
    arguments: dict[str, Any] = {}
    faults = {name: without_value(f"corpus.{name}") for name in missing}
    for key, value in settings.items():
        try:
            arguments[key] = _parsed(key, value, parameters)
        except UserError as error:
            faults[key] = str(error)
    return arguments, faults


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in (
        parameter.VAR_KEYWORD,
        parameter.VAR_POSITIONAL,
    )


def _parsed(key: str, value: Any, parameters: Mapping[str, inspect.Parameter]) -> Any:
    if value == MISSING:
        raise UserError(without_value(f"corpus.{key}"))
    if key not in parameters:
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            return value
        raise UserError(f"corpus.{key}={shown(value)}: there is no such key{instead(key, parameters)}")
    try:
        return checked(parameters[key].annotation, value)
    except ValueError as error:
        raise UserError(f"corpus.{key}={shown(value)}: should be {error}") from error


def _place(read: Reader) -> str:
    return f"{read.__module__}.{read.__qualname__}"


_BUILT_IN: dict[str, Reader] = {
    "files": files,
    "tsv": tsv,
    "reverse": reverse,
    "dates": dates,
    "cmudict": cmudict,
    "multi30k": multi30k,
    "tatoeba": tatoeba,
    "tiny": tiny,
}

for _name, _read in _BUILT_IN.items():
    register(_name)(_read)
