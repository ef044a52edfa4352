"""Several corpora as one: each with its own reader, and a weight that says how often its pairs are read.

    parts:
      original: {reader: multi30k, pair: en-de}
      translated: {reader: files, train: translated/en-de, weight: 0.5}

The first part gives the languages, the validation split and the test split.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from heed.data.corpus import Corpus, Pairs, Part
from heed.data.registry import parameters_of, parsed, reader
from heed.data.text_files import joined
from heed.errors import UserError
from heed.settings import shown, without_value

MOST = 1000
"""The largest weight."""


class Source(NamedTuple):
    """A corpus of a mix, by the name of its part."""

    part: str
    corpus: Corpus
    weight: float


def mix(parts: Mapping[str, Mapping[str, Any]] | None = None, name: str = "mix") -> Corpus:
    """The training splits of several corpora, one after the other; the other splits are those of the first.

    A part has the settings of a corpus, its `reader` among them, and a `weight`: how many times its pairs are read in
    an epoch, 1 unless given (`heed.data.readings`); a part of weight 0 is not learnt from. What a reader needs and a
    part lacks of name and languages is that of the first part. A corpus of the other direction is welcome: its sources
    are then read as sources, as for a model that begins with both directions (Ding et al. 2021, arXiv 2109.07780).

    Of all parts but the first, pairs of which a side stands in the validation or the test split are left out and
    counted: synthetic text may repeat what a model is scored on.

    Raises:
        UserError: no part, a part that its reader refuses, or one of other languages.
    """
    if not parts:
        raise UserError(f"{without_value('corpus.parts')}, such as '{{own: {{reader: tiny}}}}'")
    sources: list[Source] = []
    for part, settings in parts.items():
        sources.append(_source(part, settings, name, sources[0].corpus if sources else None))
    if not any(source.weight for source in sources):
        raise UserError("corpus.parts: every weight is 0; give one part a larger weight")
    first = sources[0].corpus
    others = {split: read for split, read in first.splits.items() if split != "train"}
    notes = [f"{source.part}: {note}" for source in sources for note in source.corpus.notes]
    return Corpus(name, first.src_lang, first.tgt_lang, {"train": partial(_train, sources), **others}, notes)


def _source(part: str, settings: Mapping[str, Any], name: str, first: Corpus | None) -> Source:
    above = f"corpus.parts.{part}."
    given = dict(settings)
    weight, read_by = given.pop("weight", 1), given.pop("reader", None)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= MOST:
        raise UserError(f"{above}weight={shown(weight)}: should be a number from 0 to {MOST}")
    if not isinstance(read_by, str) or read_by == "mix":
        raise UserError(f"{above}reader={shown(read_by)}: should be the name of another reader, such as files")
    try:
        read = reader(read_by)
    except UserError as error:
        raise UserError(f"{above}{str(error).removeprefix('corpus.')}") from error
    inherited = {"name": name} if first is None else _inherited(f"{name}-{part}", first)
    given = {key: value for key, value in inherited.items() if key in parameters_of(read)} | given
    arguments, faults = parsed(given, read, above)
    if faults:
        raise UserError("; ".join(faults.values()))
    try:
        corpus = read(**arguments)
    except ValueError as error:  # a UserError is one
        raise UserError(f"corpus.parts.{part}: {error}") from error
    if first is not None:
        _check_languages(part, corpus, first)
    return Source(part, corpus, float(weight))


def _inherited(name: str, first: Corpus) -> dict[str, Any]:
    """What a further part need not say. No validation split is drawn from it, as none of it is read."""
    pair = f"{first.src_lang}-{first.tgt_lang}"
    return {"name": name, "src_lang": first.src_lang, "tgt_lang": first.tgt_lang, "pair": pair, "split_seed": None}


def _check_languages(part: str, corpus: Corpus, first: Corpus) -> None:
    found, expected = (corpus.src_lang, corpus.tgt_lang), (first.src_lang, first.tgt_lang)
    if found not in (expected, expected[::-1]):
        raise UserError(
            f"corpus.parts.{part} is from {found[0]} to {found[1]}; expected {expected[0]} to {expected[1]} as in the "
            "first part, or the other way round"
        )


def _train(sources: list[Source]) -> Pairs:
    scored = _scored(sources[0].corpus)
    each = [_read(source, scored if number else {}) for number, source in enumerate(sources)]
    numbers = [number for number, (pairs, _) in enumerate(each) for _ in range(len(pairs))]
    read = {part.name: pairs for pairs, part in each if part.weight}
    aligned = all(pairs.gold is not None for pairs in read.values())
    pairs = joined([pairs if aligned else replace(pairs, gold=None) for pairs in read.values()], list(read))
    return replace(pairs, lines=None, notes=(), parts=tuple(part for _, part in each), part=numbers)


def _scored(first: Corpus) -> dict[str, set[str]]:
    """The sentences of the validation and the test split, by language."""
    sentences: dict[str, set[str]] = {first.src_lang: set(), first.tgt_lang: set()}
    for split in ("valid", "test"):
        if split in first.splits:
            pairs = first.read(split)
            sentences[first.src_lang].update(map(str.strip, pairs.src))
            sentences[first.tgt_lang].update(map(str.strip, pairs.tgt))
    return {language: found - {""} for language, found in sentences.items()}


def _read(source: Source, scored: Mapping[str, set[str]]) -> tuple[Pairs, Part]:
    """The pairs of a part that may be learnt from, and how many they are."""
    if not source.weight:
        return Pairs([], [], []), Part(source.part, 0.0, 0)
    pairs = source.corpus.read("train")
    keep = list(_unscored(source.corpus, pairs, scored))
    part = Part(source.part, source.weight, len(pairs), len(pairs) - sum(keep), tuple(pairs.notes))
    return (pairs if all(keep) else pairs.select(keep)), part


def _unscored(corpus: Corpus, pairs: Pairs, scored: Mapping[str, set[str]]) -> Iterator[bool]:
    src, tgt = scored.get(corpus.src_lang, set()), scored.get(corpus.tgt_lang, set())
    for one, other in zip(pairs.src, pairs.tgt, strict=True):
        yield one.strip() not in src and other.strip() not in tgt
