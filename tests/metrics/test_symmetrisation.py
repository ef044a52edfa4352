import pytest
from hypothesis import given
from hypothesis import strategies as st

from heed.metrics.alignment import Links, read_pharaoh, write_pharaoh
from heed.metrics.symmetrisation import grow_diag_final_and, intersection, transpose, union

ALL_LINKS = st.frozensets(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=12)


def links(line: str) -> Links:
    return read_pharaoh(line).sure


def test_intersection_and_union_by_hand() -> None:
    forward, backward = links("0-0 1-1 2-1"), links("0-0 1-1 1-2")
    assert write_pharaoh(intersection(forward, backward)) == "0-0 1-1"
    assert write_pharaoh(union(forward, backward)) == "0-0 1-1 1-2 2-1"


def test_the_other_direction_is_reversed() -> None:
    assert write_pharaoh(transpose(links("0-2 1-0"))) == "0-1 2-0"


@pytest.mark.parametrize(
    ("why", "forward", "backward", "expected"),
    [
        ("grows to a straight neighbour", "0-0 1-0", "0-0", "0-0 1-0"),
        ("grows to a diagonal neighbour, and on from there", "0-0 1-1 2-2", "0-0", "0-0 1-1 2-2"),
        ("does not grow where both words have links", "0-0 1-1 0-1", "0-0 1-1", "0-0 1-1"),
        ("adds a distant link when both words are free", "0-0 3-3", "0-0", "0-0 3-3"),
        ("adds no distant link when one word is taken: the -and", "0-0 3-0", "0-0", "0-0"),
        ("lets the forward direction finish first", "0-2", "0-0", "0-2"),
        ("of nothing is nothing", "", "", ""),
    ],
)
def test_grow_diag_final_and_by_hand(why: str, forward: str, backward: str, expected: str) -> None:
    assert write_pharaoh(grow_diag_final_and(links(forward), links(backward))) == expected, why


@pytest.mark.parametrize(
    ("forward", "backward", "expected"),
    [
        (
            "0-1 0-2 0-3 3-5 6-0 6-4",
            "0-1 0-2 1-2 2-3 3-0 4-5 5-0 6-0 6-3 6-4 7-4 8-4",
            "0-1 0-2 0-3 1-2 2-3 3-5 5-0 6-0 6-4 7-4 8-4",
        ),
        (
            "0-1 1-5 3-2 4-4 6-0",
            "0-2 1-4 2-2 3-0 3-2 4-4 5-0 6-2",
            "0-1 1-5 2-2 3-2 4-4 6-0",
        ),
        (
            "2-0 5-1 6-4 6-7 7-2 7-6",
            "0-0 1-1 2-1 4-5 5-7 6-1 6-4 7-0 8-1",
            "2-0 4-5 5-1 6-4 7-2",
        ),
        (
            "2-0 3-1 3-4 4-5 5-2 7-3",
            "0-3 1-1 2-0 2-3 3-1 3-2 4-1 5-0 6-2 7-0",
            "1-1 2-0 2-3 3-1 3-2 3-4 4-1 4-5 5-0",
        ),
    ],
)
def test_equals_fast_align(forward: str, backward: str, expected: str) -> None:
    """Random links. The expected results are from the algorithm of fast_align's atools; 5,000 more pairs agreed."""
    assert write_pharaoh(grow_diag_final_and(links(forward), links(backward))) == expected


@given(ALL_LINKS, ALL_LINKS)
def test_lies_between_intersection_and_union(forward: Links, backward: Links) -> None:
    grown = grow_diag_final_and(forward, backward)
    assert intersection(forward, backward) <= grown <= union(forward, backward)


@given(ALL_LINKS, ALL_LINKS)
def test_leaves_no_link_whose_words_are_both_free(forward: Links, backward: Links) -> None:
    grown = grow_diag_final_and(forward, backward)
    src, tgt = {link[0] for link in grown}, {link[1] for link in grown}
    assert all(link[0] in src or link[1] in tgt for link in forward | backward)


@given(ALL_LINKS)
def test_two_directions_that_agree_stay_as_they_are(found: Links) -> None:
    assert grow_diag_final_and(found, found) == found
