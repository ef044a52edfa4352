import base64
import hashlib
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from heed.errors import UserError
from heed.viz.gallery import Candidate, Entry, gallery
from tests.support.viz import HOSTILE, Page, made_entries


def entry(weights: Tensor, **others: Any) -> Entry:
    tgt_len, src_len = weights.shape
    words = [f"t{i}" for i in range(tgt_len)]
    fields = {"bleu": 50.0, "entropy": 0.5, "coverage": 1.0} | others
    return Entry([f"s{i}" for i in range(src_len)], words, [Candidate(words, -0.5, weights)], **fields)


def test_weights_come_back_within_half_a_step() -> None:
    """Catches rows and columns swapped, and rounding down, which would be off by a whole step."""

    @given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
    def check(tgt_len: int, src_len: int, seed: int) -> None:
        weights = torch.rand(tgt_len, src_len, generator=torch.Generator().manual_seed(seed))
        (kept,) = Page(gallery([entry(weights)], "t", {})).entries
        levels = torch.frombuffer(bytearray(base64.b64decode(kept["candidates"][0]["weights"])), dtype=torch.uint8)
        assert (levels.reshape(tgt_len, src_len) / 255 - weights).abs().max() <= 1 / 510 + 1e-7

    check()


def test_everything_of_an_entry_is_in_the_page() -> None:
    """Catches a candidate, a gold link or a score that the page would silently lack."""
    given_entries = made_entries(5)
    for kept, made in zip(Page(gallery(given_entries, "t", {})).entries, given_entries, strict=True):
        assert (kept["source"], kept["reference"]) == (made.source, made.reference)
        assert [c["words"] for c in kept["candidates"]] == [c.words for c in made.candidates]
        assert [c["score"] for c in kept["candidates"]] == pytest.approx([c.score for c in made.candidates], abs=1e-4)
        assert len(base64.b64decode(kept["forced"])) == len(made.reference) * len(made.source)
        assert made.gold is not None
        sure, possible = made.gold
        assert {tuple(link) for link in kept["sure"]} == sure
        assert {tuple(link) for link in kept["possible"]} == possible - sure
        assert kept["bleu"] == pytest.approx(made.bleu, abs=1e-4)
        assert kept["entropy"] == pytest.approx(made.entropy, abs=1e-4)
        assert kept["coverage"] == pytest.approx(made.coverage, abs=1e-4)


def test_no_text_becomes_markup() -> None:
    """Catches a text that ends the script it stands in, or opens an element: the page keeps the very same elements."""
    words = [HOSTILE, *HOSTILE.split()]
    hostile = Entry(words, words, [Candidate(words, 0.0, torch.eye(len(words)))], 1.0, 1.0, 1.0)
    page, plain = (
        Page(gallery([e], title, {title: title, "long": title * 20}))
        for e, title in ((hostile, HOSTILE), (entry(torch.eye(2)), "t"))
    )
    assert Counter(tag for tag, _ in page.tags) == Counter(tag for tag, _ in plain.tags)
    assert page.contents.keys() == plain.contents.keys()
    assert page.entries[0]["source"] == words
    assert page.entries[0]["candidates"][0]["words"] == words
    assert HOSTILE in page.text
    assert page.contents["module"] == plain.contents["module"]


def test_the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else() -> None:
    """Catches a hash that is not that of the text between the tags, and any address to load from."""
    page = Page(gallery([entry(torch.eye(2))], "t", {}))
    (policy,) = (attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes)
    allowed = {kind: base64.b64encode(hashlib.sha256(page.contents[kind].encode()).digest()).decode()
               for kind in ("style", "module")}  # fmt: skip
    assert policy == (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src 'sha256-{allowed['style']}'; script-src 'sha256-{allowed['module']}'"
    )
    addresses = [a[key] for _, a in page.tags for key in ("src", "href", "srcset", "data", "action") if key in a]
    assert addresses == ["data:,", "#all"]
    assert "@import" not in page.contents["style"]
    assert "url(" not in page.contents["style"]


def test_the_page_shows_the_summary_with_long_values_last() -> None:
    """Catches a summary value that is dropped, and a signature set in the size of a headline."""
    text = " ".join(
        Page(gallery([entry(torch.eye(2))], "The title", {"BLEU": "41.2", "signature": "a|" * 20})).text.split()
    )
    assert text.startswith("The title The title BLEU41.2 ")  # <title>, then <h1>
    assert text.index("BLEU41.2") < text.index("signature" + "a|" * 20)


def test_the_same_entries_make_the_same_page() -> None:
    """Catches a date or a set's order in the file: two evaluations of one model must compare equal."""
    assert gallery(made_entries(3), "t", {}) == gallery(made_entries(3), "t", {})


def test_a_score_that_is_not_a_number_is_null() -> None:
    """Catches NaN in the JSON, which no browser parses: the page would stay empty."""
    nothing = float("nan")
    lacking = entry(torch.eye(2), bleu=nothing, entropy=nothing, coverage=nothing)
    (kept,) = Page(gallery([lacking], "t", {})).entries
    assert [kept[name] for name in ("bleu", "entropy", "coverage", "forced")] == [None] * 4


def test_a_candidate_of_no_word_and_a_source_of_no_word_are_kept() -> None:
    """Catches a crash on an empty translation: evaluation must still write its page."""
    silent = Entry(["a"], ["b"], [Candidate([], -1.0, torch.zeros(0, 1))], 0.0, 0.0, 0.0)
    empty = Entry([], ["b"], [Candidate(["b"], -1.0, torch.zeros(1, 0))], 0.0, 0.0, 0.0)
    kept = Page(gallery([silent, empty], "t", {})).entries
    assert [e["candidates"][0]["weights"] for e in kept] == ["", ""]


def test_weights_that_leave_their_range_by_rounding_alone_are_kept() -> None:
    """Catches a refusal of summed half-precision weights, which come to a little over 1."""
    (kept,) = Page(gallery([entry(torch.tensor([[1.0005, -0.0005]]))], "t", {})).entries
    assert base64.b64decode(kept["candidates"][0]["weights"]) == bytes([255, 0])


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        (
            entry(torch.eye(2))._replace(source=[]),
            r"sentence 2: weights of shape \(2, 2\) for 2 target and 0 source",
        ),
        (entry(torch.eye(2))._replace(forced=torch.eye(3)), r"sentence 2: weights of shape \(3, 3\)"),
        (entry(torch.eye(2) * 1.5), "sentence 2: weights from 0 to 1.5; expected shares from 0 to 1"),
        (entry(torch.full((2, 2), float("nan"))), "sentence 2: weights from nan to nan"),
        (entry(torch.eye(2))._replace(candidates=[]), "sentence 2 has no candidate"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_sentence(faulty: Entry, message: str) -> None:
    """Catches a map that is drawn shifted, or not at all, without an explanation."""
    with pytest.raises(ValueError, match=message):
        gallery([entry(torch.eye(2)), faulty], "t", {})


def test_a_gold_link_outside_the_sentence_is_named() -> None:
    """Catches gold made for another word splitting, whose links the page could not place."""
    gold = (frozenset({(0, 0)}), frozenset({(0, 0), (1, 2)}))
    with pytest.raises(UserError, match="gold link 1-2 of sentence 1, which has 2 source and 2 reference words"):
        gallery([entry(torch.eye(2), gold=gold)], "t", {})


def test_a_gallery_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no sentence to show"):
        gallery([], "t", {})
