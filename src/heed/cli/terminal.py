"""Output that the terminal's encoding can hold."""

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
"""Signs that heed itself prints, and what stands for them. A letter of the user's is printed as its number."""

HANDLER = "heed-plain"


def print_what_fits() -> None:
    """Let standard output and standard error print something for a character that their encoding lacks."""
    codecs.register_error(HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        encoding = getattr(stream, "encoding", None)
        if encoding and hasattr(stream, "reconfigure") and not encoding.lower().startswith("utf"):
            stream.reconfigure(errors=HANDLER)


def print_harmless(text: str) -> None:
    """Print lines, without the control characters that the name of a file or a stranger's model may hold."""
    print(harmless_lines(text), flush=True)


def harmless_lines(text: str) -> str:
    """The text with `�` for each control character but the line feed."""
    return "\n".join(map(harmless, text.split("\n")))


class HarmlessLines(logging.Formatter):
    """What is logged, in the same way."""

    def format(self, record: logging.LogRecord) -> str:
        return harmless_lines(super().format(record))


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    escaped = (PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode() for one in characters)
    return "".join(escaped), error.end
