"""The models of a server by name, and what a request may ask of them."""

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from heed.errors import UserError
from heed.search.registry import search
from heed.serving.bodies import Align, Score, Translate
from heed.serving.groups import Forcing, ForcingBoth, Links, Pairs, Searching, Sentences, scores
from heed.serving.limits import Limits
from heed.serving.queue import Group
from heed.settings import nearest
from heed.translator import Translator, check_lengths, check_reverse

SIZES = ("beam_size", "n_best")
"""Settings of a search that multiply what it costs."""


class UnknownModel(UserError):
    """A name that no model has."""


class Models:
    """Translators by name; the first is the default.

    Args:
        translators: at least one.
        limits: what a request may ask for.
    """

    def __init__(self, translators: Mapping[str, Translator], limits: Limits) -> None:
        if not translators:
            raise UserError("no model to serve; give model=DIR, or model={NAME: DIR, NAME: DIR}")
        self._translators, self._limits = dict(translators), limits

    def translate(self, body: Translate) -> tuple[Group, Sentences, int]:
        """What to run for a request, and its number of sentences.

        Raises:
            UserError: what is wrong with the request, in one line.
        """
        name, translator = self._named(body.model)
        lines = self._lines("text", body.text)
        prefixes = None if body.prefix is None else self._lines("prefix", body.prefix)
        settings = self._settings(body)
        if prefixes is not None:
            if not search(body.search).takes_prefix:
                raise UserError(f"prefix: search={body.search} cannot begin with one; choose another search")
            prefixes = prefixes * len(lines) if isinstance(body.prefix, str) else prefixes
            if len(prefixes) != len(lines):
                raise UserError(f"{len(prefixes)} prefixes for {len(lines)} sentences; expected one, or one for each")
        group = Searching(name, translator, body.search, body.n_best, settings, prefixes is not None)
        return group, Sentences(lines, prefixes, body.attention, body.level, self._limits.weights), len(lines)

    def align(self, body: Align) -> tuple[Group, Pairs, int]:
        """As `translate`."""
        name, translator = self._named(body.model)
        sources, targets = self._pairs(body)
        links = Links(body.threshold, body.level, body.symmetrisation, body.attention, self._limits.weights)
        pairs = Pairs(sources, targets, links.answer)
        if body.reverse is None:
            return Forcing(name, translator), pairs, len(sources)
        _, reverse = self._named(body.reverse)
        check_reverse(translator, reverse)
        return ForcingBoth(name, translator, reverse, links), pairs, 2 * len(sources)

    def score(self, body: Score) -> tuple[Group, Pairs, int]:
        """As `translate`."""
        name, translator = self._named(body.model)
        sources, targets = self._pairs(body)
        return Forcing(name, translator), Pairs(sources, targets, scores), len(sources)

    def about(self) -> dict[str, Any]:
        """The answer of GET /model. No path of this machine is in it."""
        limits = {name: value for name, value in vars(self._limits).items() if name != "waiting"}
        each = [_about(name, translator) for name, translator in self._translators.items()]
        return {"heed": version("heed"), "models": each, "limits": limits}

    def _named(self, name: str | None) -> tuple[str, Translator]:
        chosen = next(iter(self._translators)) if name is None else name
        if chosen not in self._translators:
            near = nearest(chosen, self._translators)
            raise UnknownModel(f"model={chosen}: expected one of {', '.join(self._translators)}{near}")
        return chosen, self._translators[chosen]

    def _lines(self, key: str, given: str | Sequence[str]) -> list[str]:
        lines = [given] if isinstance(given, str) else list(given)
        if len(lines) > self._limits.sentences:
            raise UserError(
                f"{key}: {len(lines)} sentences, expected at most {self._limits.sentences}; send several requests"
            )
        for number, line in enumerate(lines, start=1):
            if len(line) > self._limits.characters:
                raise UserError(
                    f"{key}: sentence {number} has {len(line)} characters, expected at most {self._limits.characters}; "
                    "divide it"
                )
        return lines

    def _pairs(self, body: Align | Score) -> tuple[list[str], list[str]]:
        sources, targets = self._lines("sources", body.sources), self._lines("targets", body.targets)
        check_lengths(sources, targets)
        return sources, targets

    def _settings(self, body: Translate) -> tuple[tuple[str, Any], ...]:
        """The settings of the search, checked; in order, so that equal ones are equal."""
        named, settings = search(body.search), dict(body.settings)
        if "n_best" in settings:
            raise UserError("settings.n_best: give n_best beside the settings")
        bound = named.bind(settings, body.n_best)
        for name, value in bound.items():
            self._check_setting(name, value)
        return tuple(sorted(settings.items()))

    def _check_setting(self, name: str, value: object) -> None:
        most = self._limits.max_len if name == "max_len" else self._limits.beam_size if name in SIZES else 2**53
        if isinstance(value, int) and not -most <= value <= most:
            raise UserError(f"{name}={_short(value)}: expected at most {most}")
        if name in SIZES and isinstance(value, int) and value < 1:
            raise UserError(f"{name}={value}: expected 1 or more")
        if isinstance(value, float) and value and not 1e-3 <= math.fabs(value) <= 1e3:
            raise UserError(f"{name}={value:g}: expected 0, or a number of a size from 0.001 to 1000")


def name_of(folder: str) -> str:
    """How a model is called unless its name is given: as its run."""
    path = Path(folder).resolve()
    return (path.parent.name if path.name == "model" else path.name) or "model"


def _short(value: int) -> str:
    return str(value) if abs(value) < 10**12 else "a number of many digits"


def _about(name: str, translator: Translator) -> dict[str, Any]:
    loaded = translator.bundle
    valid = translator.about.get("valid")
    return {
        "name": name,
        "src_lang": translator.src_lang,
        "tgt_lang": translator.tgt_lang,
        "parameters": sum(one.numel() for one in loaded.model.parameters()),
        "members": max(1, len(translator.folders)),
        "src_vocab": len(loaded.src),
        "tgt_vocab": len(loaded.tgt),
        "device": str(translator.device),
        "precision": translator.precision,
        "architecture": loaded.architecture.to_dict(),
        "valid": {key: value for key, value in valid.items() if isinstance(value, int | float)}
        if isinstance(valid, Mapping)
        else {},
    }
