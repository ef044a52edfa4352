import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from heed.viz.attention_map import map_html
from heed.viz.entries import Candidate
from tests.support.viz import HOSTILE, Page, made_entries

SOURCE, WORDS = ["the", "black", "cat"], ["le", "chat", "noir"]
CROSSING = np.eye(3)[[0, 2, 1]]


class Fragment(HTMLParser):
    """The elements and the texts of the fragment, and the page inside its frame."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def page(self) -> Page:
        (srcdoc,) = (attributes["srcdoc"] or "" for tag, attributes in self.tags if tag == "iframe")
        return Page(srcdoc)


def test_the_frame_runs_scripts_and_reaches_nothing_else() -> None:
    """Catches a frame that may touch the notebook around it, and a fragment with a script of its own."""
    tags = Fragment(map_html(SOURCE, WORDS, CROSSING)).tags
    assert [attributes["sandbox"] for tag, attributes in tags if tag == "iframe"] == ["allow-scripts"]
    assert not {"script", "style", "link", "img"} & {tag for tag, _ in tags}


def test_without_the_frame_a_table_names_the_strongest_links() -> None:
    """Catches a map that shows nothing if a viewer removes frames, and rows mistaken for columns."""
    weights = np.array([[0.9, 0.06, 0.04], [0.0, 0.2, 0.8], [0.03, 0.03, 0.03]])
    fragment = Fragment(map_html(SOURCE, WORDS, weights, title="runs/tiny"))
    assert "|".join(text for text in fragment.texts if text.strip()) == (
        "runs/tiny, as a table|Word|attends to|le|the 90%, black 6%|chat|cat 80%, black 20%|"
        "noir|no word with 5% or more"
    )


def test_the_column_of_the_end_is_named() -> None:
    weights = np.array([[0.2, 0.0, 0.0, 0.8], [0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    assert "</s> (end of the source) 80%, the 20%" in Fragment(map_html(SOURCE, WORDS, weights)).texts


def test_everything_given_is_in_the_page() -> None:
    """Catches an argument that is silently dropped."""
    other = Candidate(["le", "chat"], -2.0, np.eye(2, 3))
    fragment = map_html(
        SOURCE, WORDS, CROSSING, title="A title", score=-0.5, alignment=[(0, 0), (2, 1)], candidates=[other],
        source_text="the  black cat", text="lechatnoir", unknown={1}, src_lang="eng", tgt_lang="fr",
    )  # fmt: skip
    page = Fragment(fragment).page
    (entry,) = [page.entries]
    assert (entry["source"], entry["sourceText"], entry["sourceUnknown"]) == (SOURCE, "the  black cat", [1])
    assert entry["reference"] is None
    best, second = entry["candidates"]
    assert (best["words"], best["text"], best["score"], best["aligned"]) == (
        WORDS,
        "lechatnoir",
        -0.5,
        [[0, 0], [2, 1]],
    )
    assert (second["words"], second["score"], second["aligned"]) == (["le", "chat"], -2.0, [])
    assert "A title" in page.text
    assert "score −0.50" in page.text
    (card,) = (attributes for _, attributes in page.tags if "data-source-lang" in attributes)
    assert (card["data-source-lang"], card["data-target-lang"]) == ("en", "fr")


def test_tensors_and_arrays_of_any_precision_give_the_same_map() -> None:
    for weights in (
        torch.eye(3),
        torch.eye(3, dtype=torch.bfloat16).requires_grad_(),
        np.eye(3),
        np.eye(3, dtype="f4"),
    ):
        assert map_html(SOURCE, WORDS, weights) == map_html(SOURCE, WORDS, np.eye(3))


def test_hostile_text_stays_text() -> None:
    """Catches a text that ends an attribute or a script, or opens an element, in the fragment or in the frame."""
    words = [HOSTILE, *HOSTILE.split()]
    size = len(words)
    hostile, plain = (
        Fragment(map_html(own, own, np.eye(size), title=own[0], source_text=own[0], text=own[0]))
        for own in (words, ["word"] * size)
    )
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert [tag for tag, _ in hostile.page.tags] == [tag for tag, _ in plain.page.tags]
    assert hostile.page.contents["module"] == plain.page.contents["module"]
    assert hostile.page.entries["source"] == words
    assert f"{HOSTILE}, as a table" in hostile.texts


def test_an_empty_translation_has_a_map() -> None:
    assert "<table>" in map_html(SOURCE, [], np.zeros((0, 3)))
    assert "<table>" in map_html([], [], np.zeros((0, 0)))


@pytest.mark.parametrize(
    ("weights", "alignment", "message"),
    [
        (np.eye(2), None, r"weights of shape \(2, 2\) for 3 target and 3 source words"),
        (np.eye(3) * 2, None, "weights from 0 to 2; expected shares"),
        (CROSSING, [(3, 0)], "aligned pair 3-0; expected pairs within 3 source and 3 words"),
        (CROSSING, [(0, -1)], "aligned pair 0--1"),
    ],
)
def test_what_does_not_fit_is_refused(
    weights: np.ndarray, alignment: list[tuple[int, int]] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        map_html(SOURCE, WORDS, weights, alignment=alignment)


def test_a_fragment_is_small_and_a_frame_no_taller_than_a_screen() -> None:
    """Catches a notebook that grows by megabytes, and an output that hides the cells below."""
    short, long = made_entries(1)[0], made_entries(1, phrases=15)[0]
    fragments = [map_html(e.source, e.candidates[0].words, e.candidates[0].weights) for e in (short, long)]
    heights = [int(match[1]) for match in map(re.compile(r"width: 100%; height: (\d+)px").search, fragments) if match]
    assert 300 <= heights[0] < heights[1] <= 700
    assert len(fragments[0]) < 60_000
    assert len(fragments[1]) < 150_000
