"""Short everyday sentences in English and French, written and translated by volunteers of Tatoeba."""

import hashlib
import re
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from heed.data.corpus import Corpus, Pairs
from heed.data.fetch import Source, finder
from heed.errors import UserError

URL = "https://raw.githubusercontent.com/modelexlab/data/adddaf33ac35572bcfeb421efec29435e7ea9332"

ARCHIVE, TABLE = "fra-eng.zip", "fra-eng/fra.txt"

DIGESTS = {ARCHIVE: "161c93f18da3a7e6df611ed961426613260de8af06ccf8c79c977afe5135ac44"}

TERMS = (
    "Downloading English and French sentences of tatoeba.org to %s: CC BY 2.0 FR, as collected by manythings.org/anki."
)

WORD = re.compile(r"\w+")

LARGEST = 50_000


def tatoeba(
    name: str = "tatoeba",
    pair: Literal["en-fr", "fr-en"] = "en-fr",
    root: str | None = None,
    url: str | None = None,
    valid: int = 1000,
    test: int = 2000,
) -> Corpus:
    """167,130 pairs with 116,830 English sentences, many of which have several translations.

    Validation and test sentences are chosen deterministically, each with the first of its translations; the others are
    additional references if English is the source. No training pair has one of these sentences on either side, ignoring
    capitals and punctuation. The digest of the file is always checked.

    Args:
        name: the name of the corpus.
        pair: source and target language.
        root: a folder that contains fra-eng.zip; without it, the file is downloaded once.
        url: the address to download from; None for a public copy.
        valid, test: the numbers of English sentences of these splits.

    Raises:
        UserError: a number is below 0, or so large that too little is left to train on.
    """
    if min(valid, test) < 0 or valid + test > LARGEST:
        raise UserError(
            f"corpus.valid={valid} and corpus.test={test}: expected 0 or more, {LARGEST:,} together at most"
        )
    find = finder(Source("tatoeba", URL if url is None else url, DIGESTS, TERMS), root)
    src_lang, tgt_lang = pair.split("-")
    splits = {
        split: partial(_read, partial(find, ARCHIVE), split, {"test": test, "valid": valid}, src_lang == "en")
        for split in ("train", "valid", "test")
    }
    return Corpus(name, src_lang, tgt_lang, splits)


def _read(find: "partial[Path]", split: str, sizes: dict[str, int], from_english: bool) -> Pairs:
    pairs = table(find())
    chosen, note = divide(pairs, sizes, split)
    english, french = [pair[0] for pair in chosen], [pair[1] for pair in chosen]
    if not from_english:
        return Pairs(french, english, notes=[note])
    return Pairs(english, french, notes=[note], further=() if split == "train" else tuple(_others(pairs, chosen)))


def _others(pairs: Sequence[tuple[str, str]], chosen: Sequence[tuple[str, str]]) -> list[list[str | None]]:
    """Other translations of each chosen English sentence: a list of the second ones, of the third ones, and so on."""
    several: dict[str, dict[str, None]] = {english: {} for english, _ in chosen}
    for english, french in pairs:
        if english in several:
            several[english][french] = None
    each = [[other for other in several[english] if other != french] for english, french in chosen]
    return [
        [others[place] if place < len(others) else None for others in each]
        for place in range(max(map(len, each), default=0))
    ]


def table(archive: Path) -> list[tuple[str, str]]:
    """All pairs of the archive, with English first."""
    with zipfile.ZipFile(archive) as file:
        lines = file.read(TABLE).decode("utf-8").splitlines()
    return [(english, french) for english, french, *_ in (line.split("\t") for line in lines)]


def divide(pairs: Sequence[tuple[str, str]], sizes: dict[str, int], split: str) -> tuple[list[tuple[str, str]], str]:
    """The pairs of a split, and a note with their number.

    English sentences are ordered by the digest of their words. The first `sizes["test"]` are the test split, the next
    ones the validation split. So the splits hardly change if sentences are added or removed.
    """
    english, french = [_words(pair[0]) for pair in pairs], [_words(pair[1]) for pair in pairs]
    order = sorted(set(english), key=lambda words: hashlib.sha256(words.encode()).digest())
    test, valid = sizes["test"], sizes["valid"]
    of = dict.fromkeys(order[:test], "test") | dict.fromkeys(order[test : test + valid], "valid")
    if split != "train":
        first: dict[str, tuple[str, str]] = {}
        for words, pair in zip(english, pairs, strict=True):
            if of.get(words) == split:
                first.setdefault(words, pair)
        note = f"{split}: {len(first):,} English sentences, each with the first of its translations"
        return list(first.values()), note
    taken = {words for other, words in zip(english, french, strict=True) if other in of}
    kept = [
        pair for pair, own, other in zip(pairs, english, french, strict=True) if own not in of and other not in taken
    ]
    apart = sum(own in of for own in english)
    shared = len(pairs) - apart - len(kept)
    return kept, (
        f"train: {len(kept):,} of {len(pairs):,} pairs; left out: {apart:,} whose English sentence is in test or "
        f"valid, {shared:,} whose French sentence is"
    )


def _words(sentence: str) -> str:
    """A sentence without capitals and punctuation; unchanged if it has no letter."""
    return " ".join(WORD.findall(sentence.casefold())) or sentence
