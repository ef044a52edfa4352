"""Normalisation of text before it is divided into subwords.

SentencePiece has five rules of its own. Only `identity` and `nfc` keep the look of a text. The others replace
full-width punctuation, ligatures, fractions and superscripts (NFKC); the `nmt` rules also drop or replace zero-width
characters, such as the non-joiner of Persian; the rules that end in `cf` lower-case the text.
"""

import unicodedata
from collections.abc import Iterator
from itertools import permutations, product
from typing import Literal, get_args

Normalization = Literal["identity", "nfc", "nfkc", "nmt_nfkc", "nfkc_cf", "nmt_nfkc_cf"]

NORMALIZATIONS: tuple[Normalization, ...] = get_args(Normalization)


def nfc_rules() -> str:
    """Unicode's NFC as rules for SentencePiece, one per line: code points, a tab, code points.

    Like SentencePiece's own rules, they apply to every sequence that composes to one character, with its marks in any
    order.
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
    """The character, its decomposition with marks in any order, and its partly composed forms."""
    yield character
    base, *marks = list(unicodedata.normalize("NFD", character))
    for order in permutations(marks):
        written = base + "".join(order)
        if unicodedata.normalize("NFC", written) == unicodedata.normalize("NFC", character):
            yield from _partly_composed(written)


def _partly_composed(written: str) -> Iterator[str]:
    """The sequence with any two neighbours composed."""
    for cuts in product((False, True), repeat=len(written) - 1):
        parts = [written[0]]
        for mark, cut in zip(written[1:], cuts, strict=True):
            parts = [*parts, mark] if cut else [*parts[:-1], parts[-1] + mark]
        yield "".join(unicodedata.normalize("NFC", part) for part in parts)


def _points(text: str) -> str:
    return " ".join(f"{ord(character):X}" for character in text)
