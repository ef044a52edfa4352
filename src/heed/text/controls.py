"""Make text safe to print at a terminal, in a log or in a Markdown block."""

import re

CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, which may move a terminal's cursor or set its title, and line separators. The tab is not
included, nor are joiners and direction marks, which Persian, Hindi and Hebrew need."""


def harmless(text: str) -> str:
    """The text with `�` instead of each control character and line separator."""
    return CONTROLS.sub("�", text)
