"""What happens to text before it is divided into pieces.

SentencePiece has five rules of its own. Only `identity` and `nfc` leave text as it is read: the others replace
full-width punctuation, ligatures, fractions and superscripts (NFKC), those of `nmt` also drop or replace characters
without width, such as the non-joiner of Persian, and those that end in `cf` lower the case.
"""

import unicodedata
from collections.abc import Iterator
from itertools import permutations, product
from typing import Literal, get_args

Normalization = Literal["identity", "nfc", "nfkc", "nmt_nfkc", "nfkc_cf", "nmt_nfkc_cf"]

NORMALIZATIONS: tuple[Normalization, ...] = get_args(Normalization)


def nfc_rules() -> str:
    """Unicode's NFC as rules that SentencePiece reads, a line each: code points, a tab, code points.

    As SentencePiece's own rules, they hold for every sequence that makes up one composed character, in any order of
    its marks.
    """
    rules = {}
    for composed in _changed():
        for written in _spellings(composed):
            target = unicodedata.normalize("NFC", written)
            if written != target:
                rules[written] = target
    return "".join(f"{_points(written)}\t{_points(target)}\n" for written, target in sorted(rules.items()))


def _changed() -> Iterator[str]:
    """Every character that decomposes."""
    for point in (*range(0xD800), *range(0xE000, 0x110000)):
        if unicodedata.normalize("NFD", chr(point)) != chr(point):
            yield chr(point)


def _spellings(character: str) -> Iterator[str]:
    """The character, its decomposition in any order of marks, and its parts composed as far as they can be."""
    yield character
    base, *marks = list(unicodedata.normalize("NFD", character))
    for order in permutations(marks):
        written = base + "".join(order)
        if unicodedata.normalize("NFC", written) == unicodedata.normalize("NFC", character):
            yield from _partly_composed(written)


def _partly_composed(written: str) -> Iterator[str]:
    """The sequence with any of its neighbours composed."""
    for cuts in product((False, True), repeat=len(written) - 1):
        parts = [written[0]]
        for mark, cut in zip(written[1:], cuts, strict=True):
            parts = [*parts, mark] if cut else [*parts[:-1], parts[-1] + mark]
        yield "".join(unicodedata.normalize("NFC", part) for part in parts)


def _points(text: str) -> str:
    return " ".join(f"{ord(character):X}" for character in text)
