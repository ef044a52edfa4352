"""Several corpora as one: each has its own reader, and a weight that says how often its pairs are read.

    parts:
      original: {reader: multi30k, pair: en-de}
      translated: {reader: files, train: translated/en-de, weight: 0.5}

The first part gives the languages, the validation split and the test split.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from heed.data.corpus import Corpus, Pairs, Part
from heed.data.duplicates import stripped
from heed.data.registry import parameters_of, parsed, reader
from heed.data.text_files import joined
from heed.errors import UserError
from heed.settings import shown, without_value

KEY = re.compile(r"(?<![\w/.])corpus(?=\.\w+(?:=| to ))")
"""The beginning of a key of the corpus in a message, but not of a file."""

LANGUAGES = {"src_lang", "tgt_lang"}

MOST = 1000
"""The largest weight."""


class Source(NamedTuple):
    """One part of a mix: its name, its corpus and its weight."""

    part: str
    corpus: Corpus
    weight: float


def mix(parts: Mapping[str, Mapping[str, Any]] | None = None, name: str = "mix") -> Corpus:
    """Join the training splits of several corpora; the validation and test splits are those of the first part.

    A part may be a corpus in the other direction: its sources are then read as sources, so that a model can begin with
    both directions (Ding et al. 2021, arXiv 2109.07780).

    Pairs with a sentence of the validation or test split are left out of all parts but the first, and counted, because
    synthetic text may repeat the text that a model is scored on.

    Args:
        parts: the parts by name. A part has the settings of a corpus, including its `reader`, and a `weight`, which is
            the number of times that an epoch reads its pairs (`heed.data.readings`). The default weight is 1; a part
            of weight 0 is not used for training. A part that gives no name or languages gets those of the first part.
        name: the name of the mix.

    Raises:
        UserError: there is no part, every weight is 0, a part has wrong settings, or a part has other languages.
    """
    if not parts:
        raise UserError(f"{without_value('corpus.parts')}, such as '{{own: {{reader: tiny}}}}'")
    sources: list[Source] = []
    for part, settings in parts.items():
        sources.append(_source(part, settings, name, sources[0].corpus if sources else None))
    if not any(source.weight for source in sources):
        raise UserError("corpus.parts: every weight is 0; give one part a larger weight")
    first = sources[0].corpus
    others = {split: partial(_split, sources[0], split) for split in first.splits if split != "train"}
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
    inherited = {key: value for key, value in inherited.items() if key in parameters_of(read) and key not in given}
    # an inherited value may not fit, such as a language that this reader does not have
    unfit = parsed(inherited | given, read, above)[1].keys() & inherited.keys()
    if unfit & LANGUAGES:
        unfit |= LANGUAGES
    fitting = {key: value for key, value in inherited.items() if key not in unfit}
    arguments, faults = parsed(fitting | given, read, above)
    if faults:
        raise UserError("; ".join(faults.values()))
    try:
        corpus = read(**arguments)
    except ValueError as error:  # a UserError is one
        raise _named(part, error) from error
    if first is not None:
        _check_languages(part, corpus, first)
    return Source(part, corpus, float(weight))


def _inherited(name: str, first: Corpus) -> dict[str, Any]:
    """The defaults for the settings of a further part. No validation split is drawn, because it would not be used."""
    pair = f"{first.src_lang}-{first.tgt_lang}"
    return {"name": name, "src_lang": first.src_lang, "tgt_lang": first.tgt_lang, "pair": pair, "split_seed": None}


def _check_languages(part: str, corpus: Corpus, first: Corpus) -> None:
    languages, expected = (corpus.src_lang, corpus.tgt_lang), (first.src_lang, first.tgt_lang)
    if languages not in (expected, expected[::-1]):
        raise UserError(
            f"corpus.parts.{part} is from {languages[0]} to {languages[1]}; expected {expected[0]} to {expected[1]} as "
            "in the first part, or the other way round"
        )


def _train(sources: list[Source]) -> Pairs:
    scored = _scored(sources[0])
    parts = [_read(source, scored if number else {}, sources[0].corpus) for number, source in enumerate(sources)]
    numbers = [number for number, (pairs, _) in enumerate(parts) for _ in range(len(pairs))]
    read = {part.name: pairs for pairs, part in parts if part.weight}
    aligned = all(pairs.gold is not None for pairs in read.values())
    pairs = joined([pairs if aligned else replace(pairs, gold=None) for pairs in read.values()], list(read))
    return replace(pairs, lines=None, notes=(), parts=tuple(part for _, part in parts), part=numbers)


def _split(source: Source, split: str) -> Pairs:
    """A split of a part; errors name the part and its keys."""
    try:
        return source.corpus.read(split)
    except UserError as error:
        raise _named(source.part, error) from error


def _named(part: str, error: Exception) -> UserError:
    """The error with the name of the part and with its keys."""
    above = f"corpus.parts.{part}"
    return UserError(f"{above}: {KEY.sub(above, str(error))}")


def _scored(source: Source) -> dict[str, set[str]]:
    """The sentences of the validation and the test split of the first part, by language."""
    first = source.corpus
    sentences: dict[str, set[str]] = {first.src_lang: set(), first.tgt_lang: set()}
    for split in ("valid", "test"):
        if split in first.splits:
            pairs = _split(source, split)
            sentences[first.src_lang].update(map(str.strip, pairs.src))
            sentences[first.tgt_lang].update(map(str.strip, pairs.tgt))
    return {language: texts - {""} for language, texts in sentences.items()}


def _read(source: Source, scored: Mapping[str, set[str]], first: Corpus) -> tuple[Pairs, Part]:
    """The pairs of a part that may be used for training, and their counts."""
    if not source.weight:
        return Pairs([], [], []), Part(source.part, 0.0, 0)
    pairs = _split(source, "train")
    keep = list(_unscored(source.corpus, pairs, scored))
    turned = source.corpus.src_lang != first.src_lang
    part = Part(source.part, source.weight, len(pairs), len(pairs) - sum(keep), tuple(pairs.notes), turned)
    return (pairs if all(keep) else pairs.select(keep)), part


def _unscored(corpus: Corpus, pairs: Pairs, scored: Mapping[str, set[str]]) -> Iterator[bool]:
    """For each pair, whether neither side is a sentence of the validation or test split."""
    scored_src, scored_tgt = scored.get(corpus.src_lang, set()), scored.get(corpus.tgt_lang, set())
    for src, tgt in stripped(pairs):
        yield src not in scored_src and tgt not in scored_tgt
