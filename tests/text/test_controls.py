"""Untrusted text is made safe to print."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heed.text.controls import harmless


@given(st.text())
def test_no_control_character_is_left_and_nothing_else_is_lost(text: str) -> None:
    """Catches an escape sequence that reaches a terminal, a line end that reaches Markdown, and words that change."""
    shown = harmless(text)
    dangerous = [unicodedata.category(sign) in ("Cc", "Zl", "Zp", "Cs") and sign != "\t" for sign in text]

    assert len(shown.splitlines()) <= 1
    assert [*shown] == ["�" if wrong else sign for sign, wrong in zip(text, dangerous, strict=True)]


@pytest.mark.parametrize("word", ["می‌بینم", "क्‍ष", "a b", "שָׁלוֹם", "👩‍👩‍👧", "a\tb"])
def test_characters_that_scripts_need_are_kept(word: str) -> None:
    """Catches Persian without its joiners, and no-break spaces that are mistaken for controls."""
    assert harmless(word) == word
