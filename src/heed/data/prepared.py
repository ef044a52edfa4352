"""What training reads, made of the text: cleaned, in pieces, and counted; cached on the disk if it is long."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
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
from heed.data.resampled import Resampled, resampled
from heed.data.summary import Summary, summarise
from heed.errors import UserError
from heed.shipped import PACKAGE
from heed.text.subwords import EncodedLine, Subwords

LARGE = 100_000
"""Pairs from which on the disk is asked first; fewer are ready within seconds."""

LINES_AT_ONCE = 10_000

CODE = [PACKAGE / folder for folder in ("data", "text")]


class Recipe(NamedTuple):
    """What decides what comes of a text; `sampling` is the alpha of subword sampling, or None."""

    src: Subwords
    tgt: Subwords
    kind: str
    cleaning: Mapping[str, Any]
    sampling: float | None
    seed: int


class Splits(NamedTuple):
    """The text that a run reads, split by split, and what a person should know about splits that it lacks."""

    pairs: Mapping[str, Pairs]
    notes: Sequence[str] = ()

    def guided(self, links: Sequence[str]) -> "Splits":
        """The same with these alignments of the training split, in the place of the corpus's own if it has any."""
        return self._replace(pairs={**self.pairs, "train": replace(self.pairs["train"], gold=links)})


class ValidLines(NamedTuple):
    """The lines of the validation split in pieces, with the word of each piece."""

    src: list[EncodedLine]
    tgt: list[EncodedLine]


class Prepared(NamedTuple):
    """The splits in pieces, and what they are fit for."""

    train: Encoded | Resampled
    valid: Encoded
    valid_lines: ValidLines
    summary: Summary
    digests: Mapping[str, str]
    """The fingerprint of each split."""


def read_splits(corpus: Corpus) -> Splits:
    """Training and validation text, and the test split if there is one that can be read, which training can do without.

    Raises:
        UserError: the training or the validation split is not there or cannot be read.
    """
    pairs = {"train": corpus.stream("train"), "valid": corpus.read("valid")}
    notes = list(corpus.notes)
    if "test" in corpus.splits:
        try:
            pairs["test"] = corpus.read("test")
        except (OSError, ValueError) as error:  # a UserError is a ValueError
            notes.append(f"test: cannot be read, which training does not need: {error}")
    return Splits(pairs, list(dict.fromkeys([*notes, *_notes(pairs)])))


def read_links(path: Path, pairs: int) -> Sequence[str]:
    """A file of alignments of the whole training split, before cleaning, a line for each pair.

    Raises:
        UserError: it does not exist, or has another number of lines.
    """
    links = stored_lines(path)
    if len(links) != pairs:
        raise UserError(
            f"guided_links={path} has {len(links)} lines and the training split {pairs} pairs; expected a line for "
            "each pair, as heed-align split=train writes them"
        )
    return links


def prepare(splits: Splits, recipe: Recipe, cleaned: Callable[[], tuple[Pairs, Report]]) -> Prepared:
    """The splits in pieces; `cleaned` gives the training split as it is to be learnt from, and is called if need be.

    A large training split is looked for in the cache first (`heed.data.cache`).
    """
    lines = ValidLines(*_lines(splits.pairs["valid"], recipe))
    valid = encoded_lines(*lines)
    digests = {name: fingerprint({name: pairs}) for name, pairs in splits.pairs.items()}
    if len(splits.pairs["train"]) >= LARGE:
        train, summary = _cached(splits.pairs, recipe, valid, cleaned, digests)
    else:
        train, summary = _made(splits.pairs, recipe, valid, cleaned, in_memory)
    return Prepared(train, valid, lines, replace(summary, notes=tuple(splits.notes)), digests)


def _notes(splits: Mapping[str, Pairs]) -> Iterator[str]:
    """What a person should know of the text of each split."""
    for name, pairs in splits.items():
        yield from pairs.notes
        for side, lines in (("source", pairs.src), ("target", pairs.tgt)):
            yield from marks.notes(f"{name}: the {side}", lines)


def fingerprint(splits: Mapping[str, Pairs]) -> str:
    """A short name for this text: another one for any other text, gold alignments and references included."""
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
    store: Store,
) -> tuple[Encoded | Resampled, Summary]:
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
    return train, summarise(report, {**splits, "train": pairs}, {"train": rates, "valid": valid.unk_rates})


def _cached(
    splits: Mapping[str, Pairs],
    recipe: Recipe,
    valid: Encoded,
    cleaned: Callable[[], tuple[Pairs, Report]],
    digests: Mapping[str, str],
) -> tuple[Encoded | Resampled, Summary]:
    def make(store: Store) -> str:
        return json.dumps(_made(splits, recipe, valid, cleaned, store)[1].to_dict())

    arrays, text = cached(key(_parts(recipe, digests)), make)
    train = Encoded.from_arrays(arrays) if recipe.sampling is None else Resampled.from_arrays(arrays, recipe.seed)
    return train, Summary.from_dict(json.loads(text))


def _parts(recipe: Recipe, digests: Mapping[str, str]) -> Iterator[bytes | str]:
    """All that the arrays depend on: settings, vocabularies, the code that makes them, and text."""
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
