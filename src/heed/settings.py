"""Settings checked before anything is built: each key against the signature that will receive it.

Config files and overrides are plain data; what a key may be is said once, in the signature of the function or class
that takes it. Strict JSON mode of pydantic is what YAML needs: a list may be a tuple and a text a path, but "3" is not
3 and 3.0 is not 3.
"""

import difflib
import inspect
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from pydoc import locate
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

BUILDABLE = ("heed.", "torch.", "lightning.")
"""What a `_target_` may name: a config is data, not a way to call anything that is installed."""

MISSING = "???"


def faults(settings: Mapping[str, Any], schema: Callable[..., object]) -> list[str]:
    """Everything wrong with resolved settings, one line each; `schema` is what takes the top-level keys."""
    return [*_node_faults("", settings, schema)]


def nearest(word: str, candidates: Iterable[str]) -> str:
    """`; did you mean …?` with the candidate most like `word`, or nothing where none is.

    The last part of a dotted key counts too: `hid_dim` is meant to find `model.hid_dim`.
    """
    ranked = sorted(((_likeness(word, candidate), candidate) for candidate in candidates), reverse=True)
    return f"; did you mean {ranked[0][1]}?" if ranked and ranked[0][0] > 0.6 else ""


def dotted(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The value of every key that an override can name, from the top: `model`, `model.hid_dim` and so on."""
    values: dict[str, Any] = {}
    for key, value in settings.items():
        if not str(key).startswith("_"):
            values[f"{above}{key}"] = value
            if isinstance(value, Mapping):
                values |= dotted(value, f"{above}{key}.")
    return values


def without_value(key: str) -> str:
    """What to say of a key that has no value yet."""
    return f"{key}: has no value; give {key}=…"


def shown(value: object) -> str:
    """A value as it is written in an override."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _likeness(word: str, candidate: str) -> float:
    whole = difflib.SequenceMatcher(None, word, candidate).ratio()
    leaf = difflib.SequenceMatcher(None, word.rpartition(".")[2], candidate.rpartition(".")[2]).ratio()
    return max(whole, 0.9 * leaf)


def _node_faults(path: str, node: Mapping[str, Any], schema: Callable[..., object]) -> Iterator[str]:
    """Faults of one node and of all below it; `path` ends with a dot unless the node is the whole config."""
    parameters = _parameters(schema)
    any_key = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    for key, value in node.items():
        if key in parameters:
            yield from _value_faults(path + key, value, parameters[key].annotation)
        elif not key.startswith("_") and not any_key:
            yield f"{path}{key}={shown(value)}: there is no such key{nearest(key, parameters)}"
        else:
            yield from _built_faults(path + key, value)
    for name, parameter in parameters.items():
        required = parameter.default is parameter.empty and parameter.kind is parameter.KEYWORD_ONLY
        if required and name not in node and not node.get("_partial_"):
            yield without_value(path + name)


def _parameters(schema: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """What `schema` takes by name. Annotations that only a type checker can read are left as text, and not checked."""
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


def _value_faults(path: str, value: Any, annotation: Any) -> Iterator[str]:
    if value == MISSING:
        yield without_value(path)
    elif is_dataclass(annotation) and isinstance(annotation, type):
        if isinstance(value, Mapping):
            yield from _node_faults(f"{path}.", value, annotation)
        else:
            yield f"{path}={shown(value)}: should hold keys ({', '.join(_parameters(annotation))})"
    elif _holds_target(value):
        yield from _built_faults(path, value)
    else:
        yield from _type_faults(path, value, annotation)


def _holds_target(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "_target_" in value or any(_holds_target(below) for below in value.values())
    return isinstance(value, list) and any(_holds_target(below) for below in value)


def _built_faults(path: str, value: Any) -> Iterator[str]:
    """Faults of every node below that names its own `_target_`."""
    if isinstance(value, list):
        value = {str(index): below for index, below in enumerate(value)}
    if not isinstance(value, Mapping):
        return
    if "_target_" not in value:
        for key, below in value.items():
            yield from _built_faults(f"{path}.{key}", below)
        return
    name = value["_target_"]
    target = locate(name) if isinstance(name, str) and name.startswith(BUILDABLE) else None
    if callable(target):
        yield from _node_faults(f"{path}.", value, target)
    else:
        yield f"{path}._target_={shown(name)}: should name a function or class in {', '.join(BUILDABLE)}"


def _type_faults(path: str, value: Any, annotation: Any) -> Iterator[str]:
    if isinstance(value, float) and math.isnan(value):
        yield f"{path}=NaN: should be a number"
        return
    if annotation is inspect.Parameter.empty or isinstance(annotation, str):
        return
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError):
        return  # e.g. a type that is itself made by a function: nothing plain could be checked against it
    try:
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        plain = [fault["msg"] for fault in error.errors() if fault["type"] != "needs_python_object"]
        expected = dict.fromkeys(message.removeprefix("Input should be ") for message in plain)
        yield f"{path}={shown(value)}: should be {' or '.join(expected) or 'built by a _target_ of its own'}"
