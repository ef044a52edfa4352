"""The models of a server by name, and the checks of requests against the limits."""

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from heed.data.encoded import LONGEST
from heed.errors import UserError
from heed.maps import Line, has_spaces, read_lines
from heed.search.alternatives import LONGEST_WORD
from heed.search.greedy import longest
from heed.search.registry import SIZES, search
from heed.serving.bodies import Align, NextWords, Score, Translate
from heed.serving.groups import Beginning, Choosing, Forcing, Group, Links, Pairs, Scores, Searching, Sentences
from heed.serving.limits import Limits
from heed.serving.queue import Asked
from heed.settings import nearest
from heed.text.subwords import Subwords
from heed.translator import Translator, check_lengths, check_reverse

LENGTHS = ("max_len", "min_len")
"""Settings of a search that limit the length of a translation."""

WRITTEN = 10
"""How many times the memory of a tensor element an attention weight in an answer takes, as Python number and text."""


class UnknownModel(UserError):
    """There is no model with this name."""


class Models:
    """Translators by name; the first is the default.

    Args:
        translators: translators by name, at least one.
        limits: the limits of a request.
    """

    def __init__(self, translators: Mapping[str, Translator], limits: Limits) -> None:
        if not translators:
            raise UserError("no model to serve; give model=DIR, or model={NAME: DIR, NAME: DIR}")
        self.translators, self._limits = dict(translators), limits

    def translate(self, body: Translate) -> Asked:
        """Check a request and convert it to work for the queue.

        Raises:
            UserError: the request is invalid; the message is one line.
        """
        name, translator = self._named(body.model)
        settings, width = self._settings(body)
        texts = self._texts("text", body.text)
        lines = _encoded("text", texts, translator.bundle.src)
        prefixes = self._prefixes(body, len(lines))
        weights = width * sum(
            (len(line.ids) + 1)
            * max(settings.get("max_len") or longest(len(line.ids)), settings.get("min_len") or 0, len(prefix))
            for line, prefix in zip(lines, prefixes or [""] * len(lines), strict=True)
        )
        group = Searching(
            name, translator, body.search, body.n_best, tuple(sorted(settings.items())), body.prefix is not None
        )
        item = Sentences(lines, prefixes, body.attention, body.level)
        return self._asked(group, item, len(lines), weights, body.attention)

    def alternatives(self, body: NextWords) -> Asked:
        """As `translate`."""
        name, translator = self._named(body.model)
        ((text,), (prefix,)) = self._texts("text", body.text), self._texts("prefix", body.prefix)
        (line,) = _encoded("text", [text], translator.bundle.src)
        if body.count > self._limits.beam_size:
            raise UserError(f"count={_short(body.count)}: expected at most {self._limits.beam_size}")
        weights = (len(line.ids) + 1) * (len(prefix) + body.count * LONGEST_WORD)
        item = Beginning(line, prefix, body.count, body.level)
        return self._asked(Choosing(name, translator), item, 1, weights, attention=False)

    def align(self, body: Align) -> Asked:
        """As `translate`."""
        name, translator = self._named(body.model)
        wanted = Links(body.threshold, body.level, body.symmetrisation, body.attention)
        if body.reverse is None:
            return self._forced(body, Forcing(name, translator), wanted, body.attention)
        _, reverse = self._named(body.reverse)
        check_reverse(translator, reverse)
        return self._forced(body, Forcing(name, translator, reverse), wanted, body.attention)

    def score(self, body: Score) -> Asked:
        """As `translate`."""
        name, translator = self._named(body.model)
        return self._forced(body, Forcing(name, translator), Scores(), attention=False)

    def _forced(self, body: Align | Score, group: Forcing, wanted: Links | Scores, attention: bool) -> Asked:
        sources, targets = self._texts("sources", body.sources), self._texts("targets", body.targets)
        check_lengths(sources, targets)
        pairs = _encoded_pairs(sources, targets, group.translator)
        turned = _encoded_pairs(targets, sources, group.reverse) if group.reverse else None
        weights = sum((len(src.ids) + 1) * (len(tgt.ids) + 1) for src, tgt in zip(*pairs, strict=True))
        twice = 2 if turned else 1
        return self._asked(group, Pairs(*pairs, wanted, turned), twice * len(sources), twice * weights, attention)

    def _asked(self, group: Group, item: Any, sentences: int, weights: int, attention: bool) -> Asked:
        weights = weights * WRITTEN if attention else weights
        if weights > self._limits.weights:
            raise UserError(
                f"the request needs {weights} attention weights, expected at most {self._limits.weights}; send fewer "
                "or shorter sentences, request fewer translations of each, or no attention"
            )
        return Asked(group, item, sentences, weights)

    def about(self) -> dict[str, Any]:
        """The answer of GET /model; it contains no paths of this machine."""
        limits = {name: value for name, value in vars(self._limits).items() if name != "waiting"}
        models = [_about(name, translator) for name, translator in self.translators.items()]
        return {"heed": version("heed"), "models": models, "limits": limits}

    def _named(self, name: str | None) -> tuple[str, Translator]:
        chosen = next(iter(self.translators)) if name is None else name
        if chosen not in self.translators:
            near = nearest(chosen, self.translators)
            raise UnknownModel(f"model={chosen}: expected one of {', '.join(self.translators)}{near}")
        return chosen, self.translators[chosen]

    def _texts(self, key: str, given: str | Sequence[str]) -> list[str]:
        """The sentences of a request, checked against the limits."""
        texts = [given] if isinstance(given, str) else list(given)
        if len(texts) > self._limits.sentences:
            raise UserError(
                f"{key}: {len(texts)} sentences, expected at most {self._limits.sentences}; send several requests"
            )
        for number, text in enumerate(texts, start=1):
            if len(text) > self._limits.characters:
                raise UserError(
                    f"{key}: sentence {number} has {len(text)} characters, expected at most {self._limits.characters}; "
                    "divide it"
                )
        return texts

    def _prefixes(self, body: Translate, count: int) -> list[str]:
        if body.prefix is None:
            return []
        if not search(body.search).takes_prefix:
            raise UserError(f"prefix: search={body.search} does not support it; choose another search")
        prefixes = self._texts("prefix", body.prefix)
        if isinstance(body.prefix, str):
            return prefixes * count
        if len(prefixes) != count:
            raise UserError(f"{len(prefixes)} prefixes for {count} sentences; expected one for all, or one for each")
        return prefixes

    def _settings(self, body: Translate) -> tuple[dict[str, Any], int]:
        """The checked settings of the search, and the number of hypotheses that it computes for a sentence."""
        if "n_best" in body.settings:
            raise UserError("settings.n_best: give n_best outside of settings")
        bound = search(body.search).bind(body.settings, body.n_best)
        for name, value in bound.items():
            self._check_setting(name, value)
        return dict(body.settings), max(bound.get(name) or 1 for name in SIZES)

    def _check_setting(self, name: str, value: object) -> None:
        most = self._limits.max_len if name in LENGTHS else self._limits.beam_size if name in SIZES else 2**53
        if isinstance(value, int) and not -most <= value <= most:
            raise UserError(f"{name}={_short(value)}: expected at most {most}")
        if name in SIZES and isinstance(value, int) and value < 1:
            raise UserError(f"{name}={value}: expected 1 or more")
        if isinstance(value, float) and value and not 1e-3 <= math.fabs(value) <= 1e3:
            raise UserError(f"{name}={value:g}: expected 0, or a number of a size from 0.001 to 1000")


def name_of(folder: str) -> str:
    """The default name of a model: the name of its run."""
    path = Path(folder).resolve()
    return (path.parent.name if path.name == "model" else path.name) or "model"


def _encoded(key: str, texts: Sequence[str], subwords: Subwords, spaced: bool | None = None) -> list[Line]:
    """Lines encoded as by `Translator`, except that a line that is too long is refused instead of cut."""
    lines = read_lines(texts, subwords, spaced)
    for number, line in enumerate(lines, start=1):
        if len(line.ids) > LONGEST:
            raise UserError(
                f"{key}: sentence {number} has {len(line.ids)} subwords, expected at most {LONGEST}; divide it"
            )
    return lines


def _encoded_pairs(
    sources: Sequence[str], targets: Sequence[str], translator: Translator
) -> tuple[list[Line], list[Line]]:
    """Encoded pairs; whether words are separated by spaces is decided for each side, as in `Translator.force`."""
    return (
        _encoded("sources", sources, translator.bundle.src, has_spaces(sources)),
        _encoded("targets", targets, translator.bundle.tgt, has_spaces(targets)),
    )


def _short(value: int) -> str:
    return str(value) if abs(value) < 10**12 else "a number of many digits"


def _about(name: str, translator: Translator) -> dict[str, Any]:
    loaded = translator.bundle
    valid = translator.about.get("valid")
    return {
        "name": name,
        "src_lang": translator.src_lang,
        "tgt_lang": translator.tgt_lang,
        "parameters": sum(parameter.numel() for parameter in loaded.model.parameters()),
        "members": max(1, len(translator.folders)),
        "src_vocab": len(loaded.src),
        "tgt_vocab": len(loaded.tgt),
        "device": str(translator.device),
        "precision": translator.precision,
        "architecture": loaded.architecture.to_dict(),
        "valid": {
            key: value
            for key, value in valid.items()
            if isinstance(value, int | float) and -math.inf < value < math.inf  # JSON has no infinity and no NaN
        }
        if isinstance(valid, Mapping)
        else {},
    }
