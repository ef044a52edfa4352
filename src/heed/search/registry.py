"""Searches by name: heed's own and those registered by other packages."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypeVar

from heed import extensions
from heed.arguments import whole_number
from heed.errors import UserError
from heed.search.greedy import Hypothesis
from heed.search.memory import is_out_of_memory
from heed.settings import checked, instead, nearest, shown

Results = Sequence[Hypothesis | list[Hypothesis]]
Function = TypeVar("Function", bound=Callable[..., Results])

GIVEN = ("model", "src", "src_len", "bos_id", "eos_id", "prefix")
"""Arguments of a search that are passed by heed and are not settings."""


@dataclass(frozen=True)
class Search:
    """A search and its capabilities.

    Args:
        name: its name in settings, as in `search=beam`.
        function: called as `function(model, src, src_len, bos_id, eos_id, **settings)`. Returns for each sentence one
            `Hypothesis`, or a list of them, best first. It supports prefixes if it has a parameter `prefix`.
        n_best: whether it can return several translations of a sentence; then it has a parameter `n_best`.
        random: whether it draws random numbers; then it runs in float32 unless another precision is set, so that
            the same seed gives the same translations on every machine.
    """

    name: str
    function: Callable[..., Results]
    n_best: bool
    random: bool

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Its settings: all parameters of the function that heed does not pass itself."""
        signature = inspect.signature(self.function, eval_str=True)
        return {name: parameter for name, parameter in signature.parameters.items() if name not in GIVEN}

    @property
    def takes_prefix(self) -> bool:
        """Whether it supports prefixes."""
        return "prefix" in inspect.signature(self.function).parameters

    def bind(self, settings: Mapping[str, Any], n_best: int | None) -> dict[str, Any]:
        """All settings for the function, including defaults.

        Raises:
            UserError: names are unknown, values are missing or of a wrong type (one line lists all errors), or more
                translations are asked for than the search can return.
        """
        settings = {name: int(value) if _is_whole(value) else value for name, value in settings.items()}
        n_best = None if n_best is None else whole_number("n_best", n_best, 1)
        for name, value in {"n_best": n_best, "beam_size": settings.get("beam_size")}.items():
            if isinstance(value, int) and not 1 <= value <= MOST:
                raise UserError(f"search.{name}={value}: should be 1 to {MOST}")
        if n_best is not None and n_best > 1 and not self.n_best:
            several = " or ".join(f"search={one.name}" for one in _SEARCHES.values() if one.n_best)
            raise UserError(f"n_best={n_best}: search={self.name} returns only one translation; choose {several}")
        bound = {**settings, "n_best": n_best} if self.n_best and n_best is not None else dict(settings)
        if faults := self._faults(bound):
            raise UserError("; ".join(faults))
        return {name: bound.get(name, parameter.default) for name, parameter in self.parameters.items()}

    def run(self, settings: Mapping[str, Any], *arguments: Any, **prefix: Any) -> Results:
        """Call the function.

        Raises:
            UserError: the function refuses a value, runs out of memory, or returns something else than hypotheses.
        """
        try:
            results = self.function(*arguments, **settings, **prefix)
        except ValueError as error:
            raise UserError(f"search={self.name}: {error}") from error
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                f"search={self.name} does not fit into memory; lower batch_size, "
                f"{'search.beam_size, ' if 'beam_size' in settings else ''}or search.max_len"
            ) from error
        if fault := _result_fault(results, arguments[2].tolist()):
            raise UserError(f"search={self.name} {fault}")
        return results

    def describe(self, bound: Mapping[str, Any]) -> str:
        """The name and the settings of `bind`, such as `beam(beam_size=5, length_penalty=1.0)`."""
        given = [f"{name}={value}" for name, value in bound.items() if value is not None]
        return self.name + (f"({', '.join(given)})" if given else "")

    def _faults(self, settings: Mapping[str, Any]) -> list[str]:
        parameters = self.parameters
        faults = []
        for name, value in settings.items():
            if name not in parameters:
                near = nearest(name, parameters) or _owners(name) or instead(name, parameters)
                faults.append(f"search.{name}={shown(value)}: search={self.name} has no such setting{near}")
                continue
            try:
                checked(parameters[name].annotation, value)
            except ValueError as error:
                faults.append(f"search.{name}={shown(value)}: should be {error}")
        missing = [
            name
            for name, parameter in parameters.items()
            if parameter.default is parameter.empty and name not in settings
        ]
        return [*faults, *(f"search.{name}: has no value; give search.{name}=…" for name in missing)]


def _result_fault(results: Sequence[object], src_len: Sequence[int]) -> str:
    """What is wrong with the results for sentences of these lengths in subwords, including </s>; or an empty string."""
    if len(results) != len(src_len):
        return f"returned {len(results)} results for {len(src_len)} sentences; expected one for each sentence"
    for result, columns in zip(results, src_len, strict=True):
        several = result if isinstance(result, list) else [result]
        if not several:
            return "returned an empty list for a sentence; expected a Hypothesis, or a list of one or more"
        for hypothesis in several:
            if fault := _hypothesis_fault(hypothesis, columns):
                return fault
    return ""


def _hypothesis_fault(one: object, columns: int) -> str:
    if not isinstance(one, Hypothesis):
        return f"returned a {type(one).__name__} for a sentence; expected a Hypothesis, or a list of one or more"
    shape, rows = tuple(one.attention.shape), len(one.ids)
    if shape in ((rows, columns), (rows + 1, columns)):
        return ""
    return (
        f"returned attention of shape {shape} for {rows} subwords and a source of {columns}, with </s>; "
        f"expected ({rows}, {columns}), or ({rows + 1}, {columns}) with a row for </s>; leave out padding"
    )


def _is_whole(value: object) -> bool:
    """Whether it is an integer, including numpy's, which the schema check does not accept."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _owners(setting: str) -> str:
    """A hint that names the searches that have this setting."""
    owners = [f"search={one.name}" for one in _SEARCHES.values() if setting in one.parameters]
    return f"; {' and '.join(owners)} {'has' if len(owners) == 1 else 'have'} it" if owners else ""


MOST = 10_000
"""The largest number of hypotheses of a sentence. With a vocabulary of 8,000 they take 0.3 GB at every step. With many
more, a system that overcommits memory would kill the process without a message."""

_SEARCHES: dict[str, Search] = {}


def register(name: str, *, n_best: bool = False, random: bool = False) -> Callable[[Function], Function]:
    """Decorator that registers a search as `name`; see `Search` for the arguments.

    Raises:
        ValueError: another search has this name.
    """

    def add(function: Function) -> Function:
        other = _SEARCHES[name].function if name in _SEARCHES else function
        if (other.__module__, other.__qualname__) != (function.__module__, function.__qualname__):
            raise ValueError(f"search {name} is already {other.__module__}.{other.__qualname__}; choose another name")
        _SEARCHES[name] = Search(name, function, n_best, random)
        return function

    return add


def search(name: str) -> Search:
    """The search registered as `name`, by heed or by an installed extension.

    Raises:
        UserError: there is no such search.
    """
    if not isinstance(name, str):
        raise UserError(f"search={name}: expected the name of a search, such as beam")
    if name not in _SEARCHES:
        extensions.load()
    if name not in _SEARCHES:
        near = nearest(name, _SEARCHES)
        raise UserError(f"search={name}: there is no such search; expected {', '.join(_SEARCHES)}{near}")
    return _SEARCHES[name]
