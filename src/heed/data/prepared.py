"""What training reads, made of the text: cleaned, in pieces, and looked through; kept on the disk where it is long."""

import json
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import heed
from heed.data.cache import Arrays, kept, key
from heed.data.cleaning import Report, table
from heed.data.corpus import Pairs
from heed.data.encoded import Encoded, encode
from heed.data.resampled import Resampled, resampled
from heed.text.subwords import Subwords

LARGE = 100_000
"""Pairs from which on the disk is asked first; fewer are ready within seconds."""

LINES_AT_ONCE = 10_000

CODE = [Path(heed.__file__).parent / folder for folder in ("data", "text")]


class Recipe(NamedTuple):
    """What decides what comes of a text; `sampling` is the alpha of subword sampling, or None."""

    src: Subwords
    tgt: Subwords
    kind: str
    cleaning: Mapping[str, Any]
    sampling: float | None
    seed: int


class Prepared(NamedTuple):
    """The splits in pieces, and the table that says what they are fit for."""

    train: Encoded | Resampled
    valid: Encoded
    table: str


def prepare(splits: Mapping[str, Pairs], recipe: Recipe, cleaned: Callable[[], tuple[Pairs, Report]]) -> Prepared:
    """`splits` in pieces; `cleaned` gives the training split as it is to be learnt from, where that is asked."""
    valid = encode(splits["valid"], recipe.src, recipe.tgt)

    def make() -> Arrays:
        train, report = cleaned()
        encoded = {"train": encode(train, recipe.src, recipe.tgt), "valid": valid}
        text = table(report, {**splits, "train": train}, encoded)
        read = encoded["train"] if recipe.sampling is None else _resampled(train, recipe, recipe.sampling)
        return {**read.arrays(), "table": np.frombuffer(text.encode(), np.uint8).copy()}

    arrays = kept(key(_parts(splits, recipe)), make) if len(splits["train"]) >= LARGE else make()
    train = Encoded.from_arrays(arrays) if recipe.sampling is None else Resampled.from_arrays(arrays, recipe.seed)
    return Prepared(train, valid, arrays["table"].tobytes().decode())


def _resampled(train: Pairs, recipe: Recipe, alpha: float) -> Resampled:
    return resampled(train, recipe.src, recipe.tgt, recipe.kind, alpha, recipe.seed)


def _parts(splits: Mapping[str, Pairs], recipe: Recipe) -> Iterator[bytes | str]:
    """All that the arrays depend on: text, settings, vocabularies, and the code that makes them."""
    drawn = [] if recipe.sampling is None else [recipe.kind, recipe.sampling, recipe.seed]
    yield json.dumps([dict(recipe.cleaning), drawn, version("sentencepiece"), version("numpy")])
    yield from (recipe.src.model, recipe.tgt.model)
    yield from (path.read_bytes() for folder in CODE for path in sorted(folder.glob("*.py")))
    for name, pairs in splits.items():
        yield name
        for side in (pairs.src, pairs.tgt):
            yield from ("\n".join(side[start : start + LINES_AT_ONCE]) for start in range(0, len(side), LINES_AT_ONCE))
