"""Output in the terminal's encoding."""

import codecs
import logging
import sys

from heed.text.controls import harmless

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


def print_harmless(text: str) -> None:
    """Print lines without the control characters that a file name or an untrusted model may contain."""
    print(harmless_lines(text), flush=True)


def harmless_lines(text: str) -> str:
    """The text with `�` for each control character except the line feed."""
    return "\n".join(map(harmless, text.split("\n")))


class HarmlessLines(logging.Formatter):
    """A formatter of log records that replaces control characters in the same way."""

    def format(self, record: logging.LogRecord) -> str:
        return harmless_lines(super().format(record))


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    escaped = (PLAIN.get(char) or char.encode("ascii", "backslashreplace").decode() for char in characters)
    return "".join(escaped), error.end
