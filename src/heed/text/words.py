"""The words of a line: what ASCII white space sets apart, as word aligners and Pharaoh's format count them.

A no-break space (U+00A0, U+202F) or an ideographic one (U+3000) is a character of the text: it has a place in the word,
and a model may learn to write it.
"""

import re

_WORD = re.compile(r"[^ \t\n\r\f\v]+")


def split_words(line: str) -> list[str]:
    """The words of a line, in order."""
    return _WORD.findall(line)
