"""Searches by name: those of heed, and those that another package registers."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from heed import extensions
from heed.errors import UserError
from heed.search.greedy import Hypothesis
from heed.search.memory import is_out_of_memory
from heed.settings import checked, instead, nearest, shown

Results = Sequence[Hypothesis | list[Hypothesis]]
Function = TypeVar("Function", bound=Callable[..., Results])

GIVEN = ("model", "src", "src_len", "bos_id", "eos_id", "prefix")
"""Arguments of a search that no setting may name: the program passes them."""


@dataclass(frozen=True)
class Search:
    """A search and what it can do.

    Args:
        name: how settings name it, as in `search=beam`.
        function: called as `function(model, src, src_len, bos_id, eos_id, **settings)`. Returns for each sentence one
            `Hypothesis`, or a list of them, best first. It can force a beginning if it has a parameter `prefix`.
        n_best: whether it finds several translations of a sentence; then it has a parameter `n_best`.
        random: whether it draws random numbers; then it runs in float32 unless another precision is asked for, so that
            the same seed gives the same translations on every machine.
    """

    name: str
    function: Callable[..., Results]
    n_best: bool
    random: bool

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Its settings: every parameter of the function that the program does not pass itself."""
        signature = inspect.signature(self.function, eval_str=True)
        return {name: parameter for name, parameter in signature.parameters.items() if name not in GIVEN}

    @property
    def takes_prefix(self) -> bool:
        """Whether the beginning of a translation can be forced."""
        return "prefix" in inspect.signature(self.function).parameters

    def bind(self, settings: Mapping[str, Any], n_best: int | None) -> dict[str, Any]:
        """All settings to call the function with, defaults among them.

        Raises:
            UserError: every unknown name, missing value and wrong type, in one line; more translations than it finds.
        """
        if n_best is not None and n_best < 1:
            raise UserError(f"n_best={n_best}, expected 1 or more")
        for name, value in {"n_best": n_best, "beam_size": settings.get("beam_size")}.items():
            if isinstance(value, int) and value > MOST:
                raise UserError(f"search.{name}={value}: should be less than or equal to {MOST}")
        if n_best is not None and n_best > 1 and not self.n_best:
            several = " or ".join(f"search={one.name}" for one in _SEARCHES.values() if one.n_best)
            raise UserError(f"n_best={n_best}: search={self.name} finds one translation; choose {several}")
        bound = {**settings, "n_best": n_best} if self.n_best and n_best is not None else dict(settings)
        if faults := self._faults(bound):
            raise UserError("; ".join(faults))
        return {name: bound.get(name, parameter.default) for name, parameter in self.parameters.items()}

    def run(self, settings: Mapping[str, Any], *arguments: Any, **prefix: Any) -> Results:
        """Call the function.

        Raises:
            UserError: it refuses a value, or needs more memory than there is.
        """
        try:
            return self.function(*arguments, **settings, **prefix)
        except ValueError as error:
            raise UserError(f"search={self.name}: {error}") from error
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                f"search={self.name} needs more memory than there is; lower batch_size, "
                f"{'search.beam_size, ' if 'beam_size' in settings else ''}or search.max_len"
            ) from error

    def describe(self, bound: Mapping[str, Any]) -> str:
        """The name and the settings that `bind` gave, as in `beam(beam_size=5, length_penalty=1.0)`."""
        given = [f"{name}={value}" for name, value in bound.items() if value is not None]
        return self.name + (f"({', '.join(given)})" if given else "")

    def _faults(self, settings: Mapping[str, Any]) -> list[str]:
        parameters = self.parameters
        faults = []
        for name, value in settings.items():
            if name not in parameters:
                near = instead(name, parameters)
                faults.append(f"search.{name}={shown(value)}: search={self.name} has no such setting{near}")
                continue
            try:
                checked(parameters[name].annotation, value)
            except ValueError as error:
                faults.append(f"search.{name}={shown(value)}: should be {error}")
        missing = [name for name, one in parameters.items() if one.default is one.empty and name not in settings]
        return [*faults, *(f"search.{name}: has no value; give search.{name}=…" for name in missing)]


MOST = 10_000
"""Hypotheses of a sentence. With a vocabulary of 8,000 they take 0.3 GB at every step; with far more, a machine that
lends memory which it does not have would end the process without a word."""

_SEARCHES: dict[str, Search] = {}


def register(name: str, *, n_best: bool = False, random: bool = False) -> Callable[[Function], Function]:
    """Decorator that makes a search known as `name`; see `Search` for what it declares.

    Raises:
        ValueError: another search has this name.
    """

    def add(function: Function) -> Function:
        other = _SEARCHES[name].function if name in _SEARCHES else function
        if (other.__module__, other.__qualname__) != (function.__module__, function.__qualname__):
            raise ValueError(f"search {name} is {other.__module__}.{other.__qualname__} already; choose another name")
        _SEARCHES[name] = Search(name, function, n_best, random)
        return function

    return add


def search(name: str) -> Search:
    """The search registered as `name`, by heed or by an installed extension.

    Raises:
        UserError: there is none.
    """
    if name not in _SEARCHES:
        extensions.load()
    if name not in _SEARCHES:
        near = nearest(name, _SEARCHES)
        raise UserError(f"search={name}: there is no such search; expected {', '.join(_SEARCHES)}{near}")
    return _SEARCHES[name]
