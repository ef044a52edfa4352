"""Addresses that are copied: the model reads each as one symbol, which is replaced by the address from the source.

The list of kinds is fixed. A vocabulary that contains a symbol of `SYMBOLS` uses the pattern here, so an untrusted
model folder cannot bring its own pattern.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, get_args

from heed.text.words import UNSPACED_LETTERS

Kept = Literal["url", "email"]

KEPT: tuple[Kept, ...] = get_args(Kept)

SYMBOLS: dict[str, str] = {kind: f"｟{kind}｠" for kind in KEPT}
"""The symbol of each kind in a vocabulary, in the brackets that OpenNMT's tokenizer uses for placeholders."""

_LETTER = rf"[^\W{UNSPACED_LETTERS}]"  # an address ends at Chinese or Thai text, which follows without a space
_INSIDE = rf"(?:{_LETTER}|[-.~:/?#\[\]@!$&'*+,;=%])"
_LAST = rf"(?:{_LETTER}|[-~/#@$&*+=%])"  # punctuation at the end belongs to the sentence, not to the address
_IN_BRACKETS = rf"\({_INSIDE}*\)"

PATTERNS: dict[str, str] = {
    "url": rf"(?<!{_LETTER})(?i:https?://|ftp://|www\.)(?:{_INSIDE}|{_IN_BRACKETS})*(?:{_LAST}|{_IN_BRACKETS})",
    "email": rf"(?<!{_LETTER})(?<![.+%-])[A-Za-z0-9._+%-]{{1,64}}@(?:[A-Za-z0-9-]{{1,63}}\.){{1,8}}[A-Za-z]{{2,63}}",
}
"""The pattern of each kind. They match in linear time, because a line may have a million characters."""


def pattern(kinds: Iterable[str]) -> "re.Pattern[str]":
    """A pattern with a named group for each kind; a symbol that is in the text itself matches without a group."""
    named = [f"(?P<{kind}>{PATTERNS[kind]})" for kind in kinds]
    return re.compile("|".join([*named, *(SYMBOLS[kind] for kind in KEPT)]))


def masked(text: str, kinds: "re.Pattern[str]") -> str:
    """The text with a symbol instead of each address."""
    return kinds.sub(lambda found: SYMBOLS.get(found.lastgroup or "", found[0]), text)


def put_in(text: str, addresses: Iterator[str]) -> str:
    """The text with the next address instead of each symbol; symbols stay if there are no more addresses."""
    return re.sub("|".join(SYMBOLS.values()), lambda symbol: next(addresses, symbol[0]), text)
