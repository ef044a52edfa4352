"""Requests that can be run together: what each asks of a model, and its answer as JSON."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float32

from heed.data.encoded import LONGEST
from heed.errors import UserError
from heed.maps import Level, Line, Symmetrisation, has_spaces, link_words, read_lines
from heed.text.subwords import Subwords
from heed.translation import Translation
from heed.translator import Translator

Answer = bytes | UserError


@dataclass(frozen=True)
class Sentences:
    """A request to translate."""

    lines: Sequence[str]
    prefixes: Sequence[str] | None
    attention: bool
    level: Level
    weights: int
    """The most attention weights in the answer."""

    def answer(self, model: str, translations: Sequence[Translation]) -> bytes:
        """The body of the answer."""
        if self.attention:
            _check_weights([one for best in translations for one in best.candidates], self.weights)
        each = [
            _candidate(best, self) | {"others": [_candidate(other, self) for other in best.others]}
            for best in translations
        ]
        return written({"model": model, "translations": each})


@dataclass(frozen=True)
class Searching:
    """Translations by one model with one search."""

    model: str
    translator: Translator
    search: str
    n_best: int | None
    settings: tuple[tuple[str, Any], ...]
    prefixed: bool

    def run(self, items: Sequence[Sentences], check: Callable[..., object]) -> list[Answer]:
        """Translate all sentences of all items together."""
        read = [_tried(partial(_encoded, item.lines, self.translator.bundle.src, "text")) for item in items]
        lines = [line for own in read if isinstance(own, list) for line in own]
        prefixes = None
        if self.prefixed:
            asked = [item for item, own in zip(items, read, strict=True) if isinstance(own, list)]
            prefixes = [prefix for item in asked for prefix in item.prefixes or ()]
        results = self.translator.search_lines(
            lines, self.search, n_best=self.n_best, prefix=prefixes, progress=check, **dict(self.settings)
        )
        return _answers(items, read, results, self.model)


@dataclass(frozen=True)
class Pairs:
    """A request to align or to score."""

    sources: Sequence[str]
    targets: Sequence[str]
    answer: Callable[[str, Sequence[Translation]], bytes]


@dataclass(frozen=True)
class Forcing:
    """Given translations through one model."""

    model: str
    translator: Translator

    def run(self, items: Sequence[Pairs], check: Callable[..., object]) -> list[Answer]:
        """Run all pairs of all items together; whether spaces set words apart is decided for each item."""
        read = [_tried(partial(_encoded_pairs, item, self.translator)) for item in items]
        pairs = [pair for own in read if isinstance(own, list) for pair in own]
        sources, targets = [source for source, _ in pairs], [target for _, target in pairs]
        results = self.translator.force_lines(sources, targets, progress=check)
        return _answers(items, read, results, self.model)


@dataclass(frozen=True, eq=False)
class ForcingBoth:
    """Given translations through a model and one of the other direction; each request is run alone."""

    model: str
    translator: Translator
    reverse: Translator
    links: "Links"

    def run(self, items: Sequence[Pairs], check: Callable[..., object]) -> list[Answer]:
        """Align the pairs in both directions."""
        answers: list[Answer] = []
        for item in items:
            pairs = self.translator.force(item.sources, item.targets, progress=check)
            turned = self.reverse.force(item.targets, item.sources, progress=check)
            answers.append(self.links.answer(self.model, pairs, turned))
        return answers


@dataclass(frozen=True)
class Links:
    """How a request wants its words linked."""

    threshold: float | None
    level: Level
    symmetrisation: Symmetrisation
    attention: bool
    weights: int

    def answer(self, model: str, pairs: Sequence[Translation], turned: Sequence[Translation] | None = None) -> bytes:
        """The body of the answer; `turned` are the pairs the other way round."""
        if self.attention:
            _check_weights(pairs, self.weights)
        maps = [pair.map(self.level) for pair in pairs]
        other = None if turned is None else [pair.map(self.level) for pair in turned]
        links = link_words(maps, self.threshold, other, self.symmetrisation)
        each = [
            {
                "source_words": list(own.src),
                "target_words": list(own.tgt),
                "links": sorted(linked),
                "attention": _rounded(pair.weights(self.level)) if self.attention else None,
            }
            for pair, own, linked in zip(pairs, maps, links, strict=True)
        ]
        return written({"model": model, "pairs": each})


def scores(model: str, pairs: Sequence[Translation]) -> bytes:
    """The body of an answer with the log-probability of each target."""
    return written({"model": model, "scores": [pair.score for pair in pairs]})


def written(content: object) -> bytes:
    """JSON that is text and no markup, whatever shows it: <, > and & are written as escapes."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text.encode()


def _tried(read: Callable[[], list[Any]]) -> list[Any] | UserError:
    try:
        return read()
    except UserError as error:
        return error


def _answers(
    items: Sequence[Any], read: Sequence[list[Any] | UserError], results: Sequence[Translation], model: str
) -> list[Answer]:
    """Deal the results out to the items that they belong to."""
    answers: list[Answer] = []
    start = 0
    for item, own in zip(items, read, strict=True):
        if isinstance(own, UserError):
            answers.append(own)
            continue
        part = results[start : start + len(own)]
        start += len(own)
        try:
            answers.append(item.answer(model, part))
        except UserError as error:
            answers.append(error)
    return answers


def _encoded(lines: Sequence[str], subwords: Subwords, name: str, spaced: bool | None = None) -> list[Line]:
    """As `Translator` encodes lines, but that one that is too long is refused, and not cut."""
    encoded = read_lines(lines, subwords, spaced)
    for number, line in enumerate(encoded, start=1):
        if len(line.ids) > LONGEST:
            raise UserError(f"{name}: sentence {number} has {len(line.ids)} pieces, expected at most {LONGEST}")
    return encoded


def _encoded_pairs(item: Pairs, translator: Translator) -> list[tuple[Line, Line]]:
    sources = _encoded(item.sources, translator.bundle.src, "sources", has_spaces(item.sources))
    targets = _encoded(item.targets, translator.bundle.tgt, "targets", has_spaces(item.targets))
    return list(zip(sources, targets, strict=True))


def _candidate(one: Translation, asked: Sentences) -> dict[str, Any]:
    plain = {"text": one.text, "score": one.score, "finished": one.finished}
    if not asked.attention:
        return plain | dict.fromkeys(("source_words", "words", "attention", "alignment"))
    own = one.map(asked.level)
    return plain | {
        "source_words": list(own.src),
        "words": list(own.tgt),
        "attention": _rounded(one.weights(asked.level)),
        "alignment": sorted(own.links(), key=lambda link: (link[1], link[0])),
    }


def _rounded(weights: Float32[np.ndarray, "rows columns"]) -> list[list[float]]:
    """To six decimals: a float32 has no more, and JSON would write eighteen."""
    rows: list[list[float]] = np.round(weights.astype(np.float64), 6).tolist()
    return rows


def _check_weights(several: Sequence[Translation], most: int) -> None:
    count = sum(len(one.tgt.words) * len(one.src.words) for one in several)
    if count > most:
        raise UserError(
            f"attention: the answer would have {count} weights, expected at most {most}; "
            "send fewer sentences, or ask for fewer translations of each"
        )
