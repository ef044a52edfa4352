"""Text that is safe to show: at a terminal, in a log, in a block of Markdown."""

import re

CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, which may move a terminal's cursor or set its title, and all that ends a line. Not the tab, and
not the joiners and direction marks, which Persian, Hindi or Hebrew is written with."""


def harmless(text: str) -> str:
    """The text with `�` in the place of each control character and line separator."""
    return CONTROLS.sub("�", text)
