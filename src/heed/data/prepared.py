"""Prepare text for training: clean, encode and count it; the result is cached on disk if the text is long."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from heed.data import marks
from heed.data.cache import Store, cached, in_memory, key
from heed.data.cleaning import Report
from heed.data.corpus import Corpus, Pairs
from heed.data.encoded import Encoded, encode, encoded_lines, unk_rates
from heed.data.lines import stored_lines
from heed.data.readings import Readings, readings
from heed.data.resampled import Resampled, resampled
from heed.data.summary import Summary, summarise
from heed.errors import UserError
from heed.shipped import PACKAGE
from heed.text.subwords import EncodedLine, Subwords

LARGE = 100_000
"""The smallest number of pairs for which the cache is used; fewer are ready within seconds."""

LINES_AT_ONCE = 10_000

CODE = [PACKAGE / folder for folder in ("data", "text")]


class Recipe(NamedTuple):
    """The settings that determine the arrays; `sampling` is the alpha of subword sampling, or None."""

    src: Subwords
    tgt: Subwords
    kind: str
    cleaning: Mapping[str, Any]
    sampling: float | None
    seed: int


class Splits(NamedTuple):
    """The text of a run by split, and notes about splits that are missing."""

    pairs: Mapping[str, Pairs]
    notes: Sequence[str] = ()

    def guided(self, links: Sequence[str]) -> "Splits":
        """The same splits with these alignments of the training split instead of the corpus's own."""
        return self._replace(pairs={**self.pairs, "train": replace(self.pairs["train"], gold=links)})


class ValidLines(NamedTuple):
    """The lines of the validation split in subwords, with the word of each subword."""

    src: list[EncodedLine]
    tgt: list[EncodedLine]


class Prepared(NamedTuple):
    """The encoded splits, and their summary."""

    train: Encoded | Resampled
    valid: Encoded
    valid_lines: ValidLines
    summary: Summary
    readings: Readings | None
    """Of a mix; None if every pair is read once in an epoch."""
    digests: Mapping[str, str]
    """The digest of each split."""


def read_splits(corpus: Corpus) -> Splits:
    """Read the training and validation splits, and the test split if it exists and can be read.

    Raises:
        UserError: the training or validation split does not exist or cannot be read.
    """
    pairs = {"train": corpus.stream("train"), "valid": corpus.read("valid")}
    notes = list(corpus.notes)
    if "test" in corpus.splits:
        try:
            pairs["test"] = corpus.read("test")
        except (OSError, ValueError) as error:  # a UserError is a ValueError
            notes.append(f"test: cannot be read, but is not needed for training: {error}")
    return Splits(pairs, list(dict.fromkeys([*notes, *_notes(pairs)])))


def read_links(path: Path, pairs: int) -> Sequence[str]:
    """Read a file of alignments for the training split, with a line for each pair before cleaning.

    Raises:
        UserError: the file does not exist, or has another number of lines.
    """
    links = stored_lines(path)
    if len(links) != pairs:
        raise UserError(
            f"guided_links={path} has {len(links)} lines and the training split {pairs} pairs; expected a line for "
            "each pair, as heed-align split=train writes them"
        )
    return links


def fingerprints(splits: Splits) -> dict[str, str]:
    """The digest of each split."""
    return {name: fingerprint({name: pairs}) for name, pairs in splits.pairs.items()}


def prepare(
    splits: Splits, recipe: Recipe, cleaned: Callable[[], tuple[Pairs, Report]], digests: Mapping[str, str]
) -> Prepared:
    """Encode the splits; `cleaned` returns the cleaned training split and is called only if needed.

    For a large training split, the cache is tried first (`heed.data.cache`). `digests` are the `fingerprints` of the
    splits before they were cleaned.

    Raises:
        UserError: the training text has changed since then.
    """
    lines = ValidLines(*_lines(splits.pairs["valid"], recipe))
    valid = encoded_lines(*lines)
    if len(splits.pairs["train"]) >= LARGE:
        made = _cached(splits.pairs, recipe, valid, cleaned, digests)
    else:
        made = _made(splits.pairs, recipe, valid, cleaned, digests["train"], in_memory)
    summary = replace(made.summary, notes=tuple(splits.notes))
    return Prepared(made.train, valid, lines, summary, made.readings, digests)


class Made(NamedTuple):
    """What is made of the training split, and the counts of all."""

    train: Encoded | Resampled
    summary: Summary
    readings: Readings | None


def _notes(splits: Mapping[str, Pairs]) -> Iterator[str]:
    """Warnings about the text of each split."""
    for name, pairs in splits.items():
        yield from pairs.notes
        for side, lines in (("source", pairs.src), ("target", pairs.tgt)):
            yield from marks.notes(f"{name}: the {side}", lines, scored=side == "target")


def fingerprint(splits: Mapping[str, Pairs]) -> str:
    """A digest of the text, including gold alignments and references."""
    further = [json.dumps(pairs.further) for pairs in splits.values() if pairs.further]
    return key(chain(_text_parts(splits), further))


def _lines(pairs: Pairs, recipe: Recipe) -> Iterator[list[EncodedLine]]:
    yield recipe.src.encode_with_words(pairs.src)
    yield recipe.tgt.encode_with_words(pairs.tgt)


def _made(
    splits: Mapping[str, Pairs],
    recipe: Recipe,
    valid: Encoded,
    cleaned: Callable[[], tuple[Pairs, Report]],
    digest: str,
    store: Store,
) -> Made:
    pairs, report = cleaned()
    train: Encoded | Resampled
    if recipe.sampling is None:
        train = encode(pairs, recipe.src, recipe.tgt, store)
        rates = train.unk_rates
    else:
        train = resampled(pairs, recipe.src, recipe.tgt, recipe.kind, recipe.sampling, recipe.seed)
        rates = unk_rates(pairs, recipe.src, recipe.tgt)
        for name, array in train.arrays().items():
            store(name, [array])
    dealt = readings(pairs)
    if dealt:
        store("part", [dealt.part])
    summary = summarise(report, {**splits, "train": pairs}, {"train": rates, "valid": valid.unk_rates})
    if fingerprint({"train": splits["train"]}) != digest:  # the cache would give the wrong text under this digest
        raise UserError(
            "the training text changed while it was read; start again, and do not change it before the first update"
        )
    return Made(train, summary, dealt)


def _cached(
    splits: Mapping[str, Pairs],
    recipe: Recipe,
    valid: Encoded,
    cleaned: Callable[[], tuple[Pairs, Report]],
    digests: Mapping[str, str],
) -> Made:
    def make(store: Store) -> str:
        return json.dumps(_made(splits, recipe, valid, cleaned, digests["train"], store).summary.to_dict())

    arrays, text = cached(key(_parts(recipe, digests)), make)
    train = Encoded.from_arrays(arrays) if recipe.sampling is None else Resampled.from_arrays(arrays, recipe.seed)
    weights = [part.weight for part in splits["train"].parts]
    return Made(train, Summary.from_dict(json.loads(text)), Readings(arrays["part"], weights) if weights else None)


def _parts(recipe: Recipe, digests: Mapping[str, str]) -> Iterator[bytes | str]:
    """Everything that the arrays depend on: settings, vocabularies, the code that computes them, and text."""
    drawn = [] if recipe.sampling is None else [recipe.kind, recipe.sampling, recipe.seed]
    yield json.dumps([dict(recipe.cleaning), drawn, version("sentencepiece"), version("numpy"), dict(digests)])
    yield from (recipe.src.model, recipe.tgt.model)
    yield from (path.read_bytes() for folder in CODE for path in sorted(folder.glob("*.py")))


def _text_parts(splits: Mapping[str, Pairs]) -> Iterator[str]:
    for name, pairs in splits.items():
        yield name
        for side in (pairs.src, pairs.tgt, *([pairs.gold] if pairs.gold else [])):
            lines = iter(side)
            while some := list(islice(lines, LINES_AT_ONCE)):
                yield "\n".join(some)
        if pairs.parts:
            counted = [{key: value for key, value in asdict(part).items() if key != "turned"} for part in pairs.parts]
            yield json.dumps([counted, *pairs.part])
