"""Settings are plain data. Before anything is built, every key is checked against the type of its parameter.

The type of a key is written once, in the dataclass or in the signature of the function that takes it. The check is
strict: "3" is not 3, and 3.0 is not 3. Only lists become tuples and strings become paths, because YAML has neither.
"""

import difflib
import inspect
import json
import math
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import partial
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from heed.errors import UserError

MISSING = "???"
"""Written in a config as the value of a key that has no default."""

T = TypeVar("T")


def parse(schema: type[T], values: Mapping[str, Any]) -> T:
    """Make the dataclass `schema` from `values`, including nested dataclasses.

    Raises:
        UserError: keys are unknown, or values are missing, of a wrong type or out of range; one line has all errors.
    """
    messages = faults(values, schema)
    if messages:
        raise UserError("; ".join(messages))
    try:
        return TypeAdapter(schema).validate_python(values)
    except ValidationError as error:  # a rule about several keys
        lines = [_located(fault["loc"], fault["msg"].removeprefix("Value error, "), values) for fault in error.errors()]
        raise UserError("; ".join(lines)) from error


def as_typed(
    values: Mapping[str, Any], schema: Callable[..., object], texts: Mapping[str, str], above: str = ""
) -> dict[str, Any]:
    """The values, with the typed text for keys that expect a string if Hydra parsed the text as something else.

    `texts` has the typed text by dotted key, such as `run` -> "2024" for run=2024, which Hydra parses as a number.
    """
    parameters, given = parameters_of(schema), dict(values)
    for key, value in given.items():
        annotation = parameters[key].annotation if key in parameters else Any
        node, text = _dataclass_in(annotation), texts.get(f"{above}{key}")
        if node and isinstance(value, Mapping):
            given[key] = as_typed(value, node, texts, f"{above}{key}.")
        elif isinstance(value, str) and _means_list(annotation, value):
            given[key] = listed(value)
        elif text is not None and value is not None and not fits(annotation, value) and fits(annotation, text):
            given[key] = text
    return given


def _means_list(annotation: Any, text: str) -> bool:
    return bool(listed(text)) and not fits(annotation, text) and fits(annotation, listed(text))


def listed(text: str) -> list[str]:
    """The items of a list that was typed as `[a,b]` and that Hydra could not parse because of an item such as `{0}`."""
    parts = text[1:-1].split(",") if text[:1] == "[" and text[-1:] == "]" else []
    return [part.strip().strip("'\"") for part in parts]


def bind(path: str, node: Mapping[str, Any], functions: Mapping[str, Callable[..., T]]) -> Callable[..., T]:
    """The function `functions[node["name"]]`, with the other keys of the node bound as arguments.

    `path` is the path of the node in the config, for messages.

    Raises:
        UserError: there is no function of that name, or it does not take these arguments. The returned function raises
            UserError if the function raises ValueError for a value, or OSError for a file.
    """
    arguments = dict(node)
    name = arguments.pop("name", MISSING)
    if not isinstance(name, str) or name not in functions:
        expected = f"expected one of {', '.join(sorted(functions))}{nearest(shown(name), functions)}"
        raise UserError(f"{path}.name={shown(name)}: {expected}")
    function = functions[name]
    messages = [fault for fault in _node_faults(f"{path}.", arguments, function) if not fault.endswith(NO_VALUE)]
    if messages:
        raise UserError("; ".join(messages))
    return partial(_named, path, partial(function, **arguments))


def _named(path: str, function: Callable[..., T], *arguments: Any, **keywords: Any) -> T:
    try:
        return function(*arguments, **keywords)
    except (OSError, ValueError) as error:
        message = under(path, str(error), parameters_of(function))
        if isinstance(error, UserError) and not message.startswith(f"{path}."):
            raise
        raise UserError(message) from error


def faults(settings: Mapping[str, Any], schema: Callable[..., object]) -> list[str]:
    """All errors in settings, one line each; `schema` is the dataclass or function that takes the keys."""
    return [*_node_faults("", settings, schema)]


def nearest(word: str, candidates: Iterable[str]) -> str:
    """`; did you mean …?` with the candidate most similar to `word`, or an empty string if none is similar."""
    near = most_like(word, candidates)
    return f"; did you mean {near}?" if near is not None else ""


def most_like(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate most similar to `word`, or None if none is similar.

    The last part of a dotted key is compared too, so `hid_dim` finds `model.hid_dim`.
    """
    ranked = sorted(((_likeness(word, candidate), candidate) for candidate in candidates), reverse=True)
    return ranked[0][1] if ranked and ranked[0][0] > 0.6 else None


def instead(word: str, names: Iterable[str]) -> str:
    """`; did you mean …?`, or all names if none is similar to `word`."""
    known = list(names)
    return nearest(word, known) or (f"; expected {', '.join(known)}" if known else "")


def dotted(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The value of every key that an override can name: `model`, `model.hid_dim` and so on."""
    values: dict[str, Any] = {}
    for key, value in settings.items():
        values[f"{above}{key}"] = value
        if isinstance(value, Mapping):
            values |= dotted(value, f"{above}{key}.")
    return values


NO_VALUE = "=…"


def without_value(key: str) -> str:
    """The message for a key that has no value yet."""
    return f"{key}: has no value; give {key}{NO_VALUE}"


def shown(value: object) -> str:
    """A value as written in an override."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def under(path: str, message: str, names: Iterable[str]) -> str:
    """The message of a fault in the node at `path`, with the whole key of the setting in `names` that it begins with.

    >>> under("model", "hid_dim must be at least 1, got 0", ["emb_dim", "hid_dim"])
    'model.hid_dim must be at least 1, got 0'
    >>> under("model", "two sizes must be equal", ["emb_dim", "hid_dim"])
    'model: two sizes must be equal'
    """
    return f"{path}.{message}" if re.split(r"[ .=:]", message, maxsplit=1)[0] in names else f"{path}: {message}"


def fits(annotation: Any, value: object) -> bool:
    """Whether a value has the type of the annotation."""
    return not [*_type_faults("", value, annotation)]


def checked(annotation: Any, value: Any) -> Any:
    """The value converted to the annotated type; unchanged if there is no annotation, or none that can be checked.

    Raises:
        ValueError: the value has another type; the message is what was expected, such as "a valid integer".
    """
    if isinstance(value, float) and math.isnan(value):
        raise ValueError("a number")
    if annotation is inspect.Parameter.empty or isinstance(annotation, str):
        return value
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError):
        return value  # for example a type that is created by a function: plain values cannot be checked against it
    try:
        return adapter.validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        messages = dict.fromkeys(
            # of a union such as `float | Tensor`, a setting can only be what a config can contain
            fault["msg"].removeprefix("Input should be ")
            for fault in error.errors()
            if fault["type"] != "needs_python_object"
        )
        example = f"a list, such as [{value}]" if isinstance(value, str) else "a list"
        expected = " or ".join(messages) or "left out, because only a program can give it"
        raise ValueError(expected.replace("a valid array", example)) from error


def parameters_of(schema: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """The parameters of `schema`. Annotations that exist only for type checkers stay text and are not checked."""
    try:
        signature = inspect.signature(schema, eval_str=True)
    except (NameError, TypeError):
        signature = inspect.signature(schema)
    named = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            named[name] = parameter
        elif parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            named[name] = parameter.replace(kind=parameter.KEYWORD_ONLY)
    return named


def _likeness(word: str, candidate: str) -> float:
    whole = difflib.SequenceMatcher(None, word, candidate).ratio()
    last = difflib.SequenceMatcher(None, word.rpartition(".")[2], candidate.rpartition(".")[2]).ratio()
    return max(whole, 0.9 * last)


def _node_faults(path: str, node: Mapping[str, Any], schema: Callable[..., object]) -> Iterator[str]:
    """Errors of a node and of all nodes below it; `path` ends with a dot unless the node is the whole config."""
    parameters = parameters_of(schema)
    any_key = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    for key, value in node.items():
        if key in parameters:
            yield from _value_faults(path + key, value, parameters[key].annotation)
        elif not any_key:
            near = instead(key, parameters) if path else nearest(key, parameters)  # a config has too many to list
            yield f"{path}{key}={shown(value)}: there is no such key{near}"
    for name, parameter in parameters.items():
        required = parameter.default is parameter.empty and parameter.kind is parameter.KEYWORD_ONLY
        if required and name not in node:
            yield without_value(path + name)


def _value_faults(path: str, value: Any, annotation: Any) -> Iterator[str]:
    node = _dataclass_in(annotation)
    if value == MISSING:
        yield without_value(path)
    elif node and isinstance(value, Mapping):
        yield from _node_faults(f"{path}.", value, node)
    elif node and not (value is None and type(None) in get_args(annotation)):
        yield f"{path}={shown(value)}: should have the keys {', '.join(parameters_of(node))}"
    elif not node:
        yield from _type_faults(path, value, annotation)
        if isinstance(value, Mapping):
            yield from (without_value(f"{path}.{key}") for key, below in dotted(value).items() if below == MISSING)


def _dataclass_in(annotation: Any) -> type | None:
    """The dataclass of an annotation `X` or `X | None`."""
    choices = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    return next((choice for choice in choices if isinstance(choice, type) and is_dataclass(choice)), None)


def _type_faults(path: str, value: Any, annotation: Any) -> Iterator[str]:
    try:
        checked(annotation, value)
    except ValueError as error:
        yield f"{path}={shown(value)}: should be {error}"


def _located(location: tuple[int | str, ...], message: str, values: Mapping[str, Any]) -> str:
    """The message of a rule, with the node's name in front unless the message already names its keys."""
    node, inner = ".".join(map(str, location)), dotted(values)
    if not node or message.startswith(f"{node}."):
        return message
    return under(node, message, [key.removeprefix(f"{node}.") for key in inner])
