"""English words and their pronunciations, of the CMU Pronouncing Dictionary."""

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
    "Fetching the CMU Pronouncing Dictionary into %s. Copyright (C) 1993-2015 Carnegie Mellon University, under a\n"
    "licence of two clauses, as BSD's: whoever hands it on must keep the copyright notice and the disclaimer."
)

ENTRY = re.compile(r"(?P<word>\S+?)(\(\d+\))? (?P<phonemes>[^#]+)")
"""`word PHONEMES`, `word(2) PHONEMES` for a second pronunciation, and perhaps a comment after `#`."""

STRESS = re.compile(r"(?<=[A-Z])[012]\b")

LARGEST = 50_000


def cmudict(
    name: str = "cmudict", root: str | None = None, url: str | None = None, valid: int = 2_670, test: int = 12_000
) -> Corpus:
    """126,052 words in letters, and their pronunciations in the 39 phonemes of ARPAbet, without stress.

    `valid` and `test` are numbers of words, always the same ones for the same numbers; the defaults are those of the
    split in papers, of other words. A word's first pronunciation is its reference, the others are further references.
    All pronunciations of the other words are to be trained on. `root` is a folder that holds cmudict.dict already;
    otherwise it is fetched from `url`, or from the dictionary's own repository, once. Either way it is what was
    published.

    Raises:
        UserError: numbers below 0 or of more words than would leave something to train on.
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
    known = pronunciations(find())
    words = divide(list(known), sizes)[split]
    if split == "train":
        pairs = [(word, one) for word in words for one in known[word]]
        return Pairs([word for word, _ in pairs], [one for _, one in pairs])
    each = [known[word] for word in words]
    further = [
        [one[place] if place < len(one) else None for one in each] for place in range(1, max(map(len, each), default=1))
    ]
    return Pairs(words, [one[0] for one in each], further=further)


def pronunciations(path: Path) -> dict[str, list[str]]:
    """Every word and its pronunciations, without stress, each once, in the order of the file."""
    known: dict[str, dict[str, None]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if entry := ENTRY.match(line):
            known.setdefault(entry["word"], {})[STRESS.sub("", entry["phonemes"].strip())] = None
    return {word: list(each) for word, each in known.items()}


def divide(words: Sequence[str], sizes: Mapping[str, int]) -> dict[str, list[str]]:
    """The words of each split: ordered by their digests, the first ones test, the next ones validate.

    A word stays in its split when others are added or taken away, or nearly so.
    """
    order = sorted(words, key=lambda word: hashlib.sha256(word.encode()).digest())
    test, valid = sizes["test"], sizes["valid"]
    return {"test": order[:test], "valid": order[test : test + valid], "train": order[test + valid :]}
