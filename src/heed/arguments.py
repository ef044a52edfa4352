"""Checks of arguments passed from Python. An error is one line: what was given and what was expected."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from heed.errors import UserError


def one_of(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise UserError unless the value of the argument `name` is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise UserError(f"{name}={value}: there is no such {name}; choose {', '.join(choices)}")


def whole_number(name: str, value: Any, least: int) -> int:
    """The value as an int, also if it is an integer of numpy. Raise UserError if it is none, or below `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise UserError(f"{name}={value!r}, expected a whole number, {least} or more")
    if value < least:
        raise UserError(f"{name}={value}, expected {least} or more")
    return int(value)


def number(name: str, value: object) -> None:
    """Raise UserError unless the value is a number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise UserError(f"{name}={value!r}, expected a number")


def several(name: str, given: object, expected: str) -> list[Any]:
    """The items of an iterable as a list. Raise UserError for anything else, including a string or a mapping."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise UserError(f"{name} is {_kind(given)}; expected {expected}")
    return list(given)


def lines(name: str, given: object) -> list[Any]:
    """A string as a list of one line, or the items of an iterable, unchecked. Raise UserError for anything else."""
    return [given] if isinstance(given, str) else several(name, given, "a line of text, or several")


def instance(name: str, given: object, kind: type, advice: str) -> None:
    """Raise UserError unless the argument is of this class; `advice` says how to get one."""
    if not isinstance(given, kind):
        raise UserError(f"{name} is {_kind(given)}; expected a {kind.__name__}, {advice}")


def function(name: str, given: object, arguments: str) -> None:
    """Raise UserError unless the argument is None or callable; `arguments` describes its parameters."""
    if given is not None and not callable(given):
        raise UserError(f"{name} is {_kind(given)}; expected a function of {arguments}, or None")


def _kind(given: object) -> str:
    return "None" if given is None else f"of type {type(given).__name__}"
