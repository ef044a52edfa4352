"""Lines that are read at every iteration behave like a list without being in memory."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heed.text.lines import Lines, concatenated, selected

TEXTS = st.lists(st.text("ab", max_size=3), max_size=9)


@given(lines=TEXTS, place=st.integers(-12, 12), step=st.integers(1, 3))
def test_they_are_read_as_a_list_is(lines: list[str], place: int, step: int) -> None:
    """Catches an empty second iteration, and indices that do not count from the first line."""
    read = Lines(len(lines), partial(iter, lines))
    assert list(read) == list(read) == lines
    assert (read == lines, lines == read, len(read)) == (True, True, len(lines))
    assert read[place::step] == lines[place::step]
    if -len(lines) <= place < len(lines):
        assert read[place] == lines[place]
    else:
        with pytest.raises(IndexError):
            read[place]


@given(parts=st.lists(TEXTS, min_size=1, max_size=3), data=st.data())
def test_parts_and_choices_of_them_keep_their_order(parts: list[list[str]], data: st.DataObject) -> None:
    """Catches flags that choose a neighbouring line, and parts in another order."""
    every = [line for part in parts for line in part]
    keep = data.draw(st.lists(st.booleans(), min_size=len(every), max_size=len(every)))
    chosen = selected(concatenated(parts), bytes(keep))
    assert chosen == [line for line, kept in zip(every, keep, strict=True) if kept]
    assert len(chosen) == sum(keep)


def test_other_lines_are_not_equal() -> None:
    assert Lines(1, lambda: ["a"]) != ["b"]
    assert Lines(1, lambda: ["a"]) != ["a", "b"]
    assert Lines(1, lambda: ["a"]) != "a"
