"""Addresses that are copied: each is one symbol to a model, and is put back from the source as it was typed.

A closed list, by which a vocabulary that has a symbol of `SYMBOLS` knows what it stands for: a model folder from
elsewhere brings no pattern of its own.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, get_args

from heed.text.words import UNSPACED_LETTERS

Kept = Literal["url", "email"]

KEPT: tuple[Kept, ...] = get_args(Kept)

SYMBOLS: dict[str, str] = {kind: f"｟{kind}｠" for kind in KEPT}
"""How a vocabulary spells each, in the brackets in which OpenNMT's tokenizer has placeholders."""

_LETTER = rf"[^\W{UNSPACED_LETTERS}]"  # an address ends where Chinese or Thai goes on without a space
_INSIDE = rf"(?:{_LETTER}|[-.~:/?#\[\]@!$&'*+,;=%])"
_LAST = rf"(?:{_LETTER}|[-~/#@$&*+=%])"  # punctuation of the sentence is none of the address
_IN_BRACKETS = rf"\({_INSIDE}*\)"

PATTERNS: dict[str, str] = {
    "url": rf"(?<!{_LETTER})(?i:https?://|ftp://|www\.)(?:{_INSIDE}|{_IN_BRACKETS})*(?:{_LAST}|{_IN_BRACKETS})",
    "email": rf"(?<!{_LETTER})(?<![.+%-])[A-Za-z0-9._+%-]{{1,64}}@(?:[A-Za-z0-9-]{{1,63}}\.){{1,8}}[A-Za-z]{{2,63}}",
}
"""What each stands for. They find their end in one pass: a line may have a million characters."""


def pattern(kinds: Iterable[str]) -> "re.Pattern[str]":
    """What these kinds match, by the name of a group; a symbol in the text itself matches without one."""
    named = [f"(?P<{kind}>{PATTERNS[kind]})" for kind in kinds]
    return re.compile("|".join([*named, *(SYMBOLS[kind] for kind in KEPT)]))


def masked(text: str, kinds: "re.Pattern[str]") -> str:
    """The text with a symbol in the place of each address."""
    return kinds.sub(lambda found: SYMBOLS.get(found.lastgroup or "", found[0]), text)


def put_in(text: str, addresses: Iterator[str]) -> str:
    """The text with the next address in the place of each symbol; a symbol stays if there are no more."""
    return re.sub("|".join(SYMBOLS.values()), lambda symbol: next(addresses, symbol[0]), text)
