"""Groups of requests that can be run together, and their answers as JSON."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from heed.maps import Level, Line, Symmetrisation, link_words
from heed.text.subwords import UNK
from heed.translation import Translation
from heed.translator import Translator

Check = Callable[..., object]
"""Called between batches; raises an exception if all clients have disconnected."""


@runtime_checkable
class Group(Protocol):
    """The common settings of requests that can be run together; such requests have equal groups."""

    @property
    def model(self) -> str:
        """The name of the model."""

    def run(self, items: Sequence[Any], check: Check) -> list[bytes]:
        """The answer to each item."""


@dataclass(frozen=True)
class Sentences:
    """A request to translate."""

    lines: Sequence[Line]
    prefixes: Sequence[str]
    attention: bool
    level: Level

    def answer(self, model: str, translations: Sequence[Translation]) -> bytes:
        """The body of the answer."""
        translated = [
            self._candidate(best) | {"others": [self._candidate(other) for other in best.others]}
            for best in translations
        ]
        return written({"model": model, "translations": translated})

    def _candidate(self, one: Translation) -> dict[str, Any]:
        plain = {"text": one.text, "score": one.score, "finished": one.finished}
        if not self.attention:
            return plain | dict.fromkeys(("source_words", "words", "attention", "alignment", "unknown"))
        own = one.map(self.level)
        return plain | {
            "source_words": list(own.src),
            "words": list(own.tgt),
            "attention": _rounded(one.weights(self.level)),
            "alignment": sorted(own.links(), key=lambda link: (link[1], link[0])),
            "unknown": sorted(one.src.unknown) if self.level == "word" else _positions(one.src.ids, UNK),
        }


@dataclass(frozen=True)
class Searching:
    """Translations by one model with one search."""

    model: str
    translator: Translator
    search: str
    n_best: int | None
    settings: tuple[tuple[str, Any], ...]
    prefixed: bool

    def run(self, items: Sequence[Sentences], check: Check) -> list[bytes]:
        """Translate all sentences of all items together."""
        lines = [line for item in items for line in item.lines]
        prefixes = [prefix for item in items for prefix in item.prefixes] if self.prefixed else None
        results = self.translator.search_lines(
            lines, self.search, dict(self.settings), n_best=self.n_best, prefix=prefixes, progress=check
        )
        parts = _dealt(results, [len(item.lines) for item in items])
        return [item.answer(self.model, part) for item, part in zip(items, parts, strict=True)]


@dataclass(frozen=True)
class Beginning:
    """A request for the words that could follow a beginning."""

    line: Line
    prefix: str
    count: int
    level: Level


@dataclass(frozen=True)
class Choosing:
    """Words that one model could write next."""

    model: str
    translator: Translator

    def run(self, items: Sequence[Beginning], check: Check) -> list[bytes]:
        """Compute alternatives for one item after the other."""
        answers = []
        for item in items:
            check()
            alternatives = self.translator.line_alternatives(item.line, item.prefix, count=item.count, level=item.level)
            answers.append(written({"model": self.model, "alternatives": [one._asdict() for one in alternatives]}))
        return answers


@dataclass(frozen=True)
class Links:
    """The alignment settings of a request."""

    threshold: float | None
    level: Level
    symmetrisation: Symmetrisation
    attention: bool

    def answer(self, model: str, pairs: Sequence[Translation], turned: Sequence[Translation] | None = None) -> bytes:
        """The body of the answer; `turned` are the results for exchanged sides."""
        maps = [pair.map(self.level) for pair in pairs]
        others = None if turned is None else [pair.map(self.level) for pair in turned]
        links = link_words(maps, self.threshold, others, self.symmetrisation)
        aligned = [
            {
                "source_words": list(own.src),
                "target_words": list(own.tgt),
                "links": sorted(linked),
                "attention": _rounded(pair.weights(self.level)) if self.attention else None,
            }
            for pair, own, linked in zip(pairs, maps, links, strict=True)
        ]
        return written({"model": model, "pairs": aligned})


@dataclass(frozen=True)
class Scores:
    """The log-probability of each target."""

    def answer(self, model: str, pairs: Sequence[Translation]) -> bytes:
        """The body of the answer."""
        return written({"model": model, "scores": [pair.score for pair in pairs]})


@dataclass(frozen=True)
class Pairs:
    """A request to align or to score; `turned` are its pairs with exchanged sides, for a reverse model."""

    sources: Sequence[Line]
    targets: Sequence[Line]
    wanted: Links | Scores
    turned: tuple[Sequence[Line], Sequence[Line]] | None = None


@dataclass(frozen=True)
class Forcing:
    """Forced passes of one model, and of a reverse model if there is one."""

    model: str
    translator: Translator
    reverse: Translator | None = None

    def run(self, items: Sequence[Pairs], check: Check) -> list[bytes]:
        """Run all pairs of all items together."""
        sources, targets = _joined([(item.sources, item.targets) for item in items])
        pairs = _dealt(self.translator.force_lines(sources, targets, progress=check), [len(i.sources) for i in items])
        if self.reverse is None:
            return [item.wanted.answer(self.model, own) for item, own in zip(items, pairs, strict=True)]
        sources, targets = _joined([item.turned for item in items if item.turned])
        turned = _dealt(self.reverse.force_lines(sources, targets, progress=check), [len(i.sources) for i in items])
        return [
            item.wanted.answer(self.model, own, other)
            for item, own, other in zip(items, pairs, turned, strict=True)
            if isinstance(item.wanted, Links)
        ]


def written(content: object) -> bytes:
    """JSON with <, > and & escaped, so that it can never be interpreted as markup."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text.encode()


def _joined(each: Sequence[tuple[Sequence[Line], Sequence[Line]]]) -> tuple[list[Line], list[Line]]:
    return [line for sources, _ in each for line in sources], [line for _, targets in each for line in targets]


def _dealt(results: Sequence[Translation], counts: Sequence[int]) -> list[Sequence[Translation]]:
    """Divide the results among the items, in order."""
    parts, start = [], 0
    for count in counts:
        parts.append(results[start : start + count])
        start += count
    return parts


def _positions(ids: Sequence[int], wanted: int) -> list[int]:
    return [position for position, piece in enumerate(ids) if piece == wanted]


def _rounded(weights: Float32[np.ndarray, "rows columns"]) -> list[list[float]]:
    """Rounded to six decimals, the precision of float32; JSON would write eighteen."""
    rows: list[list[float]] = np.round(weights.astype(np.float64), 6).tolist()
    return rows
