"""Overrides (`key=value`) in Hydra's grammar; a value that Hydra cannot parse is used as typed."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from heed.errors import UserError

PLAIN = re.compile(r"[+~]{0,2}[\w./@:]+=")
"""The beginning of an override whose value may be any text."""

FREE = "corpus.parts."
"""The keys below it are the user's own, so a new one needs no plus; their readers check them."""

NAMED = {
    "train": "corpus=files corpus.train={0}",
    "evaluate": "model={0}",
    "translate": "input={0}",
    "align": "source={0} target=… output=…",
    "export": "output={0}",
}
"""For each command: the key that a file given without a key is probably meant for."""


def parsed(line: str, command: str = "") -> Override:
    """One override; a value that Hydra cannot parse is used as typed, and a list of such values as a list.

    Raises:
        UserError: the line is not an override.
    """
    if line.startswith(FREE) and "=" in line:
        line = f"++{line}"
    try:
        return OverridesParser.create().parse_override(line)
    except HydraException:
        pass
    key = PLAIN.match(line)
    if not key:
        raise UserError(f"{line}: not a setting; write {_key_for(line, command)} (--help lists the keys)")
    value = line[key.end() :]
    listed = value[:1] == "[" and value[-1:] == "]"
    as_text = f"[{','.join(quoted(item.strip()) for item in value[1:-1].split(','))}]" if listed else quoted(value)
    try:
        return OverridesParser.create().parse_override(f"{key[0]}{as_text}")
    except HydraException as error:
        raise UserError(f"{line}: not a setting; write {_example(command)} (--help lists the keys)") from error


def _key_for(word: str, command: str) -> str:
    """What to type instead of a word without a key."""
    if Path(word, "config.json").is_file():
        return f"model={word}"
    if command in NAMED and (os.path.lexists(word) or "/" in word or "." in word):
        return NAMED[command].format(word)
    return _example(command)


def _example(command: str) -> str:
    return f"key=value, such as {'seed=2' if command == 'train' else 'model=runs/tiny/model'}"


def literal(override: Override) -> str:
    """The override in Hydra's grammar."""
    return cast(str, override.input_line)


def quoted(value: str) -> str:
    """A string in Hydra's quotes, so that Hydra reads it unchanged, even if it looks like an interpolation."""
    return QuotedString(value.replace("${", "\\${"), Quote.single).with_quotes()


def typed_texts(overrides: Sequence[Override]) -> dict[str, str]:
    """For each plain `key=value`: its value as typed, such as "2024" and not 2024."""
    texts = {}
    for override in overrides:
        value = override.value() if not override.is_sweep_override() and not override.is_delete() else None
        if value is not None and not isinstance(value, dict | list):
            texts[override.key_or_group] = literal(override).partition("=")[2]
    return texts
