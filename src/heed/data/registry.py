"""Register corpus readers, find them by name, and check their settings (`heed.data.readers`)."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from heed import extensions
from heed.data.corpus import Corpus
from heed.errors import UserError
from heed.settings import MISSING, checked, instead, nearest, shown, without_value

Reader = Callable[..., Corpus]

R = TypeVar("R", bound=Reader)

_READERS: dict[str, Reader] = {}


def register(name: str) -> Callable[[R], R]:
    """Decorator that registers a reader as `name`.

    Raises:
        ValueError: another reader has this name already.
    """

    def add(read: R) -> R:
        other = _READERS.get(name, read)
        if _place(other) != _place(read):
            raise ValueError(
                f"corpus reader {name} is already registered by {_place(other)}; give {_place(read)} another name"
            )
        _READERS[name] = read
        return read

    return add


def reader(name: str) -> Reader:
    """The reader that is registered as `name`, by heed or by an installed extension.

    Raises:
        UserError: there is no such reader.
    """
    if name not in _READERS:
        extensions.load()
    if name not in _READERS:
        near = nearest(name, _READERS)
        raise UserError(f"corpus.reader={name}: there is no such reader; expected {', '.join(_READERS)}{near}")
    return _READERS[name]


def read_corpus(settings: Mapping[str, Any]) -> Corpus:
    """The corpus for these settings; `settings["reader"]` names the reader, which gets the other settings.

    The text is read later, when a split is read.

    Raises:
        UserError: the reader does not take these settings; the message is one line.
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


def parsed(settings: Mapping[str, Any], read: Reader, above: str = "corpus.") -> tuple[dict[str, Any], dict[str, str]]:
    """Convert settings to the types of a reader's annotations.

    Types are strict, as in JSON: "3" is not 3. Only lists become tuples and strings become paths.

    Args:
        settings: the settings by name.
        read: the reader.
        above: the beginning of the full keys, for the error lines.

    Returns:
        The valid settings, converted; and an error line for each other setting, by name.
    """
    parameters = parameters_of(read)
    missing = [name for name, parameter in parameters.items() if _is_required(parameter) and name not in settings]
    arguments: dict[str, Any] = {}
    faults = {name: without_value(f"{above}{name}") for name in missing}
    for key, value in settings.items():
        try:
            arguments[key] = _parsed(f"{above}{key}", key, value, parameters)
        except UserError as error:
            faults[key] = str(error)
    return arguments, faults


def parameters_of(read: Reader) -> Mapping[str, inspect.Parameter]:
    """The parameters of a reader: the schema of its settings."""
    return inspect.signature(read, eval_str=True).parameters


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in (
        parameter.VAR_KEYWORD,
        parameter.VAR_POSITIONAL,
    )


def _parsed(path: str, key: str, value: Any, parameters: Mapping[str, inspect.Parameter]) -> Any:
    if value == MISSING:
        raise UserError(without_value(path))
    if key not in parameters:
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            return value
        raise UserError(f"{path}={shown(value)}: there is no such key{instead(key, parameters)}")
    try:
        return checked(parameters[key].annotation, value)
    except ValueError as error:
        raise UserError(f"{path}={shown(value)}: should be {error}") from error


def _place(read: Reader) -> str:
    return f"{read.__module__}.{read.__qualname__}"
