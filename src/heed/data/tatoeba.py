"""Short everyday sentences in English and another language, written and translated by volunteers of Tatoeba."""

import hashlib
import re
import zipfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from heed.data.corpus import Corpus, Pairs
from heed.data.fetch import Source, finder
from heed.errors import UserError

FRENCH = "https://raw.githubusercontent.com/modelexlab/data/adddaf33ac35572bcfeb421efec29435e7ea9332"

CURRENT = "https://www.manythings.org/anki"
"""The publisher's address of all languages. It renews its files from time to time, so heed knows no digest of them."""

DIGESTS = {"fra-eng.zip": "161c93f18da3a7e6df611ed961426613260de8af06ccf8c79c977afe5135ac44"}

LANGUAGES: Mapping[str, str] = {
    "ar": "ara", "bg": "bul", "ca": "cat", "cs": "ces", "da": "dan", "de": "deu", "el": "ell", "eo": "epo", "es": "spa",
    "et": "est", "fi": "fin", "fr": "fra", "he": "heb", "hi": "hin", "hr": "hrv", "hu": "hun", "id": "ind", "is": "isl",
    "it": "ita", "ja": "jpn", "ko": "kor", "lt": "lit", "lv": "lvs", "mk": "mkd", "nb": "nob", "nl": "nld", "pl": "pol",
    "pt": "por", "ro": "ron", "ru": "rus", "sk": "slk", "sr": "srp", "sv": "swe", "tr": "tur", "uk": "ukr", "vi": "vie",
    "zh": "cmn",
}  # fmt: skip
"""The name in the publisher's files of each language that can be paired with English."""

TERMS = "Downloading sentences of tatoeba.org to %s: CC BY 2.0 FR, as collected by manythings.org/anki."

WORD = re.compile(r"\w+")

LARGEST = 50_000


def tatoeba(
    name: str = "tatoeba",
    pair: str = "en-fr",
    root: str | None = None,
    url: str | None = None,
    sha256: str | None = None,
    valid: int = 1000,
    test: int = 2000,
) -> Corpus:
    """Pairs of English and another language; for French 167,130 pairs of 116,830 English sentences.

    Validation and test sentences are chosen deterministically, each with the first of its translations; the others are
    additional references if English is the source. No training pair has one of these sentences on either side, ignoring
    capitals and punctuation. The digest of the file is always checked.

    Args:
        name: the name of the corpus.
        pair: source and target language, of which one is English: `en-de` or `de-en`. `LANGUAGES` has the others.
        root: a folder that contains the file, such as deu-eng.zip; without it, the file is downloaded once.
        url: the address to download from; None for a public copy.
        sha256: the digest of the file. heed knows that of one file, fra-eng.zip.
        valid, test: the numbers of English sentences of these splits.

    Raises:
        UserError: the pair is unknown, or the digest; a number is below 0, or so large that too little is left to train
            on. On reading: the file is not the one with this digest, or not such an archive.
    """
    if min(valid, test) < 0 or valid + test > LARGEST:
        raise UserError(
            f"corpus.valid={valid} and corpus.test={test}: expected 0 or more, {LARGEST:,} together at most"
        )
    src_lang, _, tgt_lang = pair.partition("-")
    other = tgt_lang if src_lang == "en" else src_lang
    if other not in LANGUAGES or "en" not in (src_lang, tgt_lang):
        raise UserError(
            f"corpus.pair={pair}: expected en-L or L-en, with one of these languages as L: {', '.join(LANGUAGES)}"
        )
    archive = f"{LANGUAGES[other]}-eng.zip"
    digest = DIGESTS.get(archive) if sha256 is None else sha256.lower()
    if digest is None:
        raise UserError(_unknown(archive, root))
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise UserError(f"corpus.sha256={sha256}: expected 64 hexadecimal digits, as `sha256sum {archive}` prints them")
    address = FRENCH if digest == DIGESTS.get(archive) else CURRENT
    find = finder(Source("tatoeba", address if url is None else url, {archive: digest}, TERMS), root)
    splits = {
        split: partial(_read, partial(find, archive), split, {"test": test, "valid": valid}, src_lang == "en")
        for split in ("train", "valid", "test")
    }
    return Corpus(name, src_lang, tgt_lang, splits)


def _unknown(archive: str, root: str | None) -> str:
    """The message for a file whose digest neither heed nor the user knows; with the digest, if the file is there."""
    path = None if root is None else Path(root) / archive
    if path is None:
        return (
            f"heed knows no digest of {archive}, because {CURRENT} renews its files; download it from there into a "
            "folder, and give that as corpus.root=DIR"
        )
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return f"{path} cannot be read ({error.strerror}); {CURRENT} has {archive}"
    return f"heed knows no digest of {archive}; if {path} is the file that you want, give corpus.sha256={found}"


def _read(find: "partial[Path]", split: str, sizes: dict[str, int], from_english: bool) -> Pairs:
    pairs = table(find())
    chosen, note = divide(pairs, sizes, split)
    english, other = [pair[0] for pair in chosen], [pair[1] for pair in chosen]
    if not from_english:
        return Pairs(other, english, notes=[note])
    return Pairs(english, other, notes=[note], further=() if split == "train" else tuple(_others(pairs, chosen)))


def _others(pairs: Sequence[tuple[str, str]], chosen: Sequence[tuple[str, str]]) -> list[list[str | None]]:
    """Other translations of each chosen English sentence: a list of the second ones, of the third ones, and so on."""
    several: dict[str, dict[str, None]] = {english: {} for english, _ in chosen}
    for english, translation in pairs:
        if english in several:
            several[english][translation] = None
    each = [[other for other in several[english] if other != first] for english, first in chosen]
    return [
        [others[place] if place < len(others) else None for others in each]
        for place in range(max(map(len, each), default=0))
    ]


def table(archive: Path) -> list[tuple[str, str]]:
    """All pairs of the archive, with English first.

    Raises:
        UserError: it is not a zip archive, or has no such table.
    """
    wanted = f"{archive.name.partition('-')[0]}.txt"
    try:
        with zipfile.ZipFile(archive) as file:
            [member] = [name for name in file.namelist() if PurePosixPath(name).name == wanted]
            lines = file.read(member).decode("utf-8").removesuffix("\n").split("\n")
    except (zipfile.BadZipFile, ValueError) as error:
        raise UserError(f"{archive} is not a zip archive with one file {wanted} in UTF-8; download it again") from error
    pairs = []
    for number, line in enumerate(lines, start=1):
        english, *others = line.rstrip("\r").split("\t")
        if not others:
            raise UserError(f"{archive}: line {number} of {wanted} has no tab; expected English, tab, translation")
        pairs.append((english, others[0]))
    return pairs


def divide(pairs: Sequence[tuple[str, str]], sizes: dict[str, int], split: str) -> tuple[list[tuple[str, str]], str]:
    """The pairs of a split, and a note with their number.

    English sentences are ordered by the digest of their words. The first `sizes["test"]` are the test split, the next
    ones the validation split. So the splits hardly change if sentences are added or removed.
    """
    english, others = [_words(pair[0]) for pair in pairs], [_words(pair[1]) for pair in pairs]
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
    taken = {words for own, words in zip(english, others, strict=True) if own in of}
    kept = [
        pair for pair, own, other in zip(pairs, english, others, strict=True) if own not in of and other not in taken
    ]
    apart = sum(own in of for own in english)
    shared = len(pairs) - apart - len(kept)
    return kept, (
        f"train: {len(kept):,} of {len(pairs):,} pairs; left out: {apart:,} whose English sentence is in test or "
        f"valid, {shared:,} whose translation is"
    )


def _words(sentence: str) -> str:
    """A sentence without capitals and punctuation; unchanged if it has no letter."""
    return " ".join(WORD.findall(sentence.casefold())) or sentence
