"""Output that the terminal's encoding can hold."""

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
"""Signs that heed itself prints, and what stands for them. A letter of the user's is printed as its number."""

HANDLER = "heed-plain"


def print_what_fits() -> None:
    """Let standard output and standard error print something for a character that their encoding lacks."""
    codecs.register_error(HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        encoding = getattr(stream, "encoding", None)
        if encoding and hasattr(stream, "reconfigure") and not encoding.lower().startswith("utf"):
            stream.reconfigure(errors=HANDLER)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    escaped = (PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode() for one in characters)
    return "".join(escaped), error.end
