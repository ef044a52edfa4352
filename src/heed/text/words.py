"""The words of a line, separated by ASCII white space, as word aligners and the Pharaoh format count them.

A no-break space (U+00A0, U+202F) or an ideographic space (U+3000) is a character of a word, which a model can learn to
write.
"""

import re

UNSPACED_LETTERS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese letters, whose words are written without spaces between them."""

_WORD = re.compile(r"[^ \t\n\r\f\v]+")


def split_words(line: str) -> list[str]:
    """The words of a line, in order."""
    return _WORD.findall(line)
