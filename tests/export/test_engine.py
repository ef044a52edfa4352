"""The page's engine under node compared with the model in Python: equal text, scores and attention."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from heed.bundle import Bundle
from heed.export.packed import quantise
from heed.maps import attention_map, read_lines, written_line
from heed.models.seq2seq import Seq2Seq
from heed.search.beam import beam
from heed.search.greedy import Hypothesis, greedy
from heed.search.sample import draw
from heed.text.subwords import BOS, EOS, Subwords, train_pair
from heed.translator import Translator
from scripts.page_engine import translate
from tests.support.page import needs_node, sized_bundle

TINY = Path(__file__).parents[2] / "data" / "tiny"
ATTENTION: dict[str, dict[str, Any]] = {
    "additive": {"att_dim": 14},
    "coverage": {"att_dim": 14},
    "multi_head": {"att_dim": 12, "heads": 2},
    "general": {},
    "dot": {},
    "scaled_dot": {},
    "article": {"positions": 9},
}
OPTIONS: list[dict[str, Any]] = [
    {"query": "previous"},
    {"layer_norm": True},
    {"layer_norm": True, "query": "conditional"},
    {"enc_layers": 2, "dec_layers": 3},
    {"bidirectional": False},
    {"attend_end": False},
    {"attend_end": False, "attention": {"score": "article", "positions": 9}},
    {"tie": "decoder"},
    {"query": "previous", "layer_norm": True, "enc_layers": 3, "dec_layers": 2, "bidirectional": False},
    {"enc_dim": 22, "hid_dim": 13, "emb_dim": 7, "readout_dim": 9, "attended_dim": 5},
]


def lines(lang: str, count: int) -> list[str]:
    return (TINY / f"test.{lang}").read_text("utf-8").splitlines()[:count]


@cache
def vocabularies(joint: bool = False) -> tuple[Subwords, Subwords]:
    return train_pair(lines("en", 400), lines("fr", 400), "unigram", vocab_size=200, joint=joint)


def python_search(bundle: Bundle, line: str, search: str, **settings: Any) -> list[Hypothesis]:
    assert isinstance(bundle.model, Seq2Seq)
    ids = torch.tensor([[*bundle.src.encode(line), EOS]])
    length = torch.tensor([ids.size(1)])
    if search == "greedy":
        return greedy(bundle.model, ids, length, BOS, EOS)
    return beam(bundle.model, ids, length, BOS, EOS, **settings)[0]


def assert_same(bundle: Bundle, folder: Path, count: int = 4, **settings: Any) -> None:
    """All candidates of greedy search and of beam search, in order."""
    texts = lines("en", count)
    named = {"beamSize": "beam_size", "lengthPenalty": "length_penalty", "coveragePenalty": "coverage_penalty"}
    wishes = {"beam_size": 4} | settings
    searches = [
        {"search": "greedy"},
        {"search": "beam", **{ours: wishes[py] for ours, py in named.items() if py in wishes}},
    ]
    requests: list[dict[str, Any]] = [{"line": line, "settings": search} for line in texts for search in searches]
    for request, answer in zip(requests, translate(bundle, requests, folder), strict=True):
        search = request["settings"]["search"]
        expected = python_search(bundle, request["line"], search, **({} if search == "greedy" else wishes))
        assert [found["ids"] for found in answer["candidates"]] == [found.ids for found in expected]
        for found, other in zip(answer["candidates"], expected, strict=True):
            assert found["score"] == pytest.approx(other.score, rel=1e-5, abs=1e-4)
            assert np.abs(np.array(found["attention"]) - other.attention.numpy()).max() < 1e-4


@needs_node
@pytest.mark.filterwarnings("ignore:source of")  # positions that `article` does not know
@pytest.mark.parametrize("score", ATTENTION)
@pytest.mark.parametrize("query", ["previous", "current", "conditional"])
def test_every_kind_of_attention_gives_the_same(score: str, query: str, tmp_path: Path) -> None:
    """Catches a wrong energy, a share of another head, or coverage that is a step late."""
    assert_same(sized_bundle(*vocabularies(), {"score": score, **ATTENTION[score]}, query=query), tmp_path)


@needs_node
@pytest.mark.filterwarnings("ignore:source of")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_shape_of_model_gives_the_same(options: dict[str, Any], tmp_path: Path) -> None:
    """Catches directions or layers in another order, a missing norm, and sizes that unrolled loops do not divide."""
    assert_same(sized_bundle(*vocabularies(), **options), tmp_path)


@needs_node
def test_embeddings_that_all_sides_share_give_the_same(tmp_path: Path) -> None:
    """Catches a tied matrix that is looked for under a name that the file does not have."""
    assert_same(sized_bundle(*vocabularies(joint=True), tie="all"), tmp_path)


@needs_node
@pytest.mark.parametrize(
    "settings",
    [
        {"beam_size": 1},
        {"beam_size": 5},
        {"beam_size": 7},
        {"length_penalty": 0.0},
        {"length_penalty": -1.5},
        {"coverage_penalty": 0.4},
        {"beam_size": 6, "length_penalty": 2.0, "coverage_penalty": 0.2},
    ],
    ids=str,
)
def test_beam_search_follows_its_rules(settings: dict[str, Any], tmp_path: Path) -> None:
    """Catches a search that stops too early or too late, or ranks finished hypotheses by another score."""
    assert_same(sized_bundle(*vocabularies()), tmp_path, **settings)


@needs_node
def test_attention_by_words_is_that_of_python(tmp_path: Path) -> None:
    """Catches rows or columns that are merged into the wrong word, and words that are spelled differently."""
    bundle = sized_bundle(*vocabularies())
    texts = [*lines("en", 10), "ﷺ word\ufeff \ufeff ▁ unknown-漢字", "漢字"]
    answers = translate(bundle, [{"line": line, "settings": {"search": "greedy"}} for line in texts], tmp_path)
    for line, answer in zip(texts, answers, strict=True):
        (found,) = answer["candidates"]
        src = read_lines([line], bundle.src)[0].by_word
        tgt = written_line(found["ids"], bundle.tgt).by_word
        expected = attention_map(torch.tensor(found["attention"]).float(), src, tgt)
        assert found["words"] == tgt.words
        assert found["text"] == bundle.tgt.decode(found["ids"])
        assert np.array(found["rows"]) == pytest.approx(expected.between_words.numpy(), abs=1e-5)
        assert np.array(found["ends"]) == pytest.approx(expected.weights[: len(tgt.words), -1].numpy(), abs=1e-5)


@needs_node
@pytest.mark.parametrize("search", ["greedy", "beam", "sample"])
def test_a_translation_begins_with_its_prefix(search: str, tmp_path: Path) -> None:
    """Catches a prefix that is ignored, a last word of it that is lengthened, and missing rows of attention."""
    bundle = sized_bundle(*vocabularies())
    settings = {"search": search, "beamSize": 4, "temperature": 1.0, "count": 3}
    texts = lines("en", 8)
    begin = bundle.tgt.encode("Sa mère")
    forced = translate(bundle, [{"line": line, "settings": settings, "begin": begin} for line in texts], tmp_path)
    for answer in forced:
        for found in answer["candidates"]:
            assert found["ids"][: len(begin)] == begin
            assert found["words"][:2] == ["Sa", "mère"] or found["words"][1].startswith("mère")
            assert not found["words"][1].removeprefix("mère")[:1].isalnum()
            assert len(found["attention"]) - len(found["ids"]) in (0, 1)


@needs_node
@pytest.mark.parametrize("search", ["greedy", "beam"])
def test_what_the_model_would_write_anyway_can_be_forced(search: str, tmp_path: Path) -> None:
    """Catches a score that leaves out the forced subwords, and a search that ends where the prefix does."""
    bundle = sized_bundle(*vocabularies())
    settings = {"search": search, "beamSize": 1}
    free = translate(bundle, [{"line": line, "settings": settings} for line in lines("en", 8)], tmp_path)
    for line, answer in zip(lines("en", 8), free, strict=True):
        best = answer["candidates"][0]
        cuts = [cut for cut in range(1, len(best["ids"])) if bundle.tgt.pieces(best["ids"])[cut].startswith("▁")]
        requests = [{"line": line, "settings": settings, "begin": best["ids"][:cut]} for cut in cuts[:3]]
        for forced in translate(bundle, requests, tmp_path):
            assert forced["candidates"][0]["ids"] == best["ids"]
            assert forced["candidates"][0]["score"] == pytest.approx(best["score"])


@needs_node
def test_the_alternatives_of_a_word_have_the_probabilities_of_the_model(tmp_path: Path) -> None:
    """Catches probabilities after another prefix, or of only a part of the word."""
    bundle = sized_bundle(*vocabularies())
    begin = bundle.tgt.encode("Sa mère")
    (answer,) = translate(
        bundle, [{"line": "a cat", "settings": {"search": "greedy"}, "begin": begin, "ask": True}], tmp_path
    )
    source = torch.tensor([[*bundle.src.encode("a cat"), EOS]])
    assert len(answer["alternatives"]) == 8
    for alternative in answer["alternatives"]:
        ids = alternative["ids"] or [EOS]
        logits, _ = bundle.model(source, torch.tensor([source.size(1)]), torch.tensor([[BOS, *begin, *ids[:-1]]]))
        values = torch.log_softmax(logits[0], dim=1)[len(begin) :]
        expected = values.gather(1, torch.tensor(ids).unsqueeze(1)).sum().exp().item()
        assert alternative["probability"] == pytest.approx(expected, rel=1e-4)
    shares = [alternative["probability"] for alternative in answer["alternatives"]]
    assert shares == sorted(shares, reverse=True)


@needs_node
@pytest.mark.parametrize("begin", ["", "Sa mère", "Le chat est"])
def test_the_alternatives_of_a_word_are_those_of_python(begin: str, tmp_path: Path) -> None:
    """Catches words that end at another subword than in Python, and another choice of the most probable words."""
    bundle = sized_bundle(*vocabularies())
    requests: list[dict[str, Any]] = [
        {"line": line, "settings": {"search": "greedy"}, "begin": bundle.tgt.encode(begin), "ask": True}
        for line in lines("en", 8)
    ]
    translator = Translator(bundle, "float32")
    for request, answer in zip(requests, translate(bundle, requests, tmp_path), strict=True):
        expected = translator.alternatives(request["line"], begin)
        assert [one["word"] or None for one in answer["alternatives"]] == [one.word for one in expected]
        shares = [one.probability for one in expected]
        assert [one["probability"] for one in answer["alternatives"]] == pytest.approx(shares, rel=1e-4)


@needs_node
def test_an_empty_line_stays_empty_and_a_long_one_ends(tmp_path: Path) -> None:
    """Catches a failure for a line without subwords, and a line with more subwords than the page can read."""
    bundle = sized_bundle(*vocabularies(), emb_dim=4, enc_dim=4, hid_dim=4, readout_dim=4, attended_dim=4)
    settings = {"search": "greedy"}
    requests = [{"line": line, "settings": settings} for line in ("", " \u3000", "\ufeff", "cat " * 1500)]
    *empty, long = translate(bundle, requests, tmp_path)
    assert [answer["candidates"][0]["text"] for answer in empty] == ["", "", ""]
    assert long["source"]["cut"]
    assert len(long["source"]["pieces"]) == 1024


@needs_node
def test_int8_is_near_float32(tmp_path: Path) -> None:
    """Catches scales of other rows, and int8 levels that are clipped."""
    bundle = sized_bundle(*vocabularies())
    requests = [{"line": line, "settings": {"search": "greedy"}} for line in lines("en", 6)]
    exact, rounded = (translate(bundle, requests, tmp_path, precision) for precision in ("float32", "int8"))
    for one, other in zip(exact, rounded, strict=True):
        first, second = (np.array(answer["candidates"][0]["attention"][0]) for answer in (one, other))
        assert 0 < np.abs(first - second).max() < 0.05


def test_a_row_is_rounded_by_its_own_largest_number() -> None:
    """Catches one scale for a whole matrix, which would round an embedding's small rows to zeros."""
    matrix = torch.randn(30, 20).numpy() * 10.0 ** np.arange(-15, 15)[:, None]
    matrix[3] = 0
    levels, scales = quantise(matrix.astype(np.float32))
    assert (np.abs(levels * scales[:, None] - matrix).max(axis=1) <= scales * 0.501).all()
    assert not levels[3].any()
    assert (np.abs(np.delete(levels, 3, axis=0)).max(axis=1) == 127).all()


@needs_node
def test_words_are_drawn_by_their_probabilities(tmp_path: Path) -> None:
    """Catches a temperature without effect, draws that are always equal, and candidates that are not sorted."""
    assert draw(torch.tensor([[0.2, 0.0, 0.8]]), torch.tensor([0.1999])).item() == 0
    bundle = sized_bundle(*vocabularies())
    settings = {"search": "sample", "temperature": 0.0005, "count": 2}
    texts = lines("en", 6)
    cold = translate(bundle, [{"line": line, "settings": settings} for line in texts], tmp_path)
    sure = translate(bundle, [{"line": line, "settings": {"search": "greedy"}} for line in texts], tmp_path)
    assert [a["candidates"][0]["ids"] for a in cold] == [a["candidates"][0]["ids"] for a in sure]
    hot = translate(bundle, [{"line": texts[0], "settings": settings | {"temperature": 2.0, "count": 5}}], tmp_path)
    assert len({found["text"] for found in hot[0]["candidates"]}) > 1
    scores = [found["score"] for found in hot[0]["candidates"]]
    assert scores == sorted(scores, reverse=True)
