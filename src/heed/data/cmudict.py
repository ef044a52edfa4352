"""The CMU Pronouncing Dictionary: English words and their pronunciations."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from heed.data.corpus import Corpus, Pairs
from heed.data.fetch import Source, finder
from heed.errors import UserError

URL = "https://raw.githubusercontent.com/cmusphinx/cmudict/74790861f652b15e4ac49015a90074ad62a27690"

FILE = "cmudict.dict"

DIGESTS = {FILE: "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22"}

TERMS = (
    "Fetching the CMU Pronouncing Dictionary into %s. Copyright (C) 1993-2015 Carnegie Mellon University. The licence\n"
    "is that of BSD with two clauses: copies must keep the copyright notice and the disclaimer."
)

ENTRY = re.compile(r"(?P<word>\S+?)(\(\d+\))? (?P<phonemes>[^#]+)")
"""`word PHONEMES`, or `word(2) PHONEMES` for a second pronunciation; a comment may follow after `#`."""

STRESS = re.compile(r"(?<=[A-Z])[012]\b")

LARGEST = 50_000
"""The largest number of words of the validation and test splits together."""


def cmudict(
    name: str = "cmudict", root: str | None = None, url: str | None = None, valid: int = 2_670, test: int = 12_000
) -> Corpus:
    """A corpus of 126,052 English words and their pronunciations in the 39 phonemes of ARPAbet, without stress.

    In the validation and test splits, the first pronunciation of a word is its reference, and the others are further
    references. The training split has a pair for every pronunciation. The file is used only if its digest is that of
    the published file.

    Args:
        name: the name of the corpus.
        root: a folder that contains cmudict.dict; None to download the file once.
        url: the address of a folder with that file; None for the repository of the dictionary.
        valid, test: the numbers of words. The same numbers always give the same words. The defaults are the sizes of
            the split in papers, whose words are others.

    Raises:
        UserError: a number is below 0, or the two are above `LARGEST` together.
    """
    if min(valid, test) < 0 or valid + test > LARGEST:
        raise UserError(
            f"corpus.valid={valid} and corpus.test={test}: expected 0 or more, {LARGEST:,} together at most"
        )
    find = partial(finder(Source("cmudict", URL if url is None else url, DIGESTS, TERMS), root), FILE)
    sizes = {"test": test, "valid": valid}
    splits = {split: partial(_read, find, split, sizes) for split in ("train", "valid", "test")}
    return Corpus(name, "letters", "phonemes", splits)


def _read(find: Callable[[], Path], split: str, sizes: Mapping[str, int]) -> Pairs:
    dictionary = pronunciations(find())
    words = divide(list(dictionary), sizes)[split]
    if split == "train":
        pairs = [(word, spoken) for word in words for spoken in dictionary[word]]
        return Pairs([word for word, _ in pairs], [spoken for _, spoken in pairs])
    lists = [dictionary[word] for word in words]
    most = max(map(len, lists), default=1)
    further = [[spoken[place] if place < len(spoken) else None for spoken in lists] for place in range(1, most)]
    return Pairs(words, [spoken[0] for spoken in lists], further=further)


def pronunciations(path: Path) -> dict[str, list[str]]:
    """The different pronunciations of each word, without stress, in the order of the file."""
    words: dict[str, dict[str, None]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if entry := ENTRY.match(line):
            words.setdefault(entry["word"], {})[STRESS.sub("", entry["phonemes"].strip())] = None
    return {word: list(spoken) for word, spoken in words.items()}


def divide(words: Sequence[str], sizes: Mapping[str, int]) -> dict[str, list[str]]:
    """Divide the words, sorted by their SHA-256: the test split comes first, then validation, then training.

    If words are added or removed, nearly all others stay in their split.
    """
    order = sorted(words, key=lambda word: hashlib.sha256(word.encode()).digest())
    test, valid = sizes["test"], sizes["valid"]
    return {"test": order[:test], "valid": order[test : test + valid], "train": order[test + valid :]}
