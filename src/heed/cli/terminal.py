"""Output in the terminal's encoding."""

import codecs
import sys

PLAIN = {
    "–": "-",
    "—": "-",
    "─": "-",
    "━": "-",
    "·": "-",
    "±": "+/-",
    "…": "...",
    "⁇": "??",
    "▁": "_",
    "“": '"',
    "”": '"',
    "’": "'",
}
"""Replacements for symbols that heed prints. A letter of the user's text is printed as its code point instead."""

HANDLER = "heed-plain"


def print_what_fits() -> None:
    """Make standard output and standard error print a replacement for characters that their encoding lacks."""
    codecs.register_error(HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        encoding = getattr(stream, "encoding", None)
        if encoding and hasattr(stream, "reconfigure") and not encoding.lower().startswith("utf"):
            stream.reconfigure(errors=HANDLER)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    escaped = (PLAIN.get(char) or char.encode("ascii", "backslashreplace").decode() for char in characters)
    return "".join(escaped), error.end
