"""A server answers what `Translator` returns."""

import random
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heed.translation import Translation
from heed.translator import Translator, load
from tests.support.model_folder import SOURCES, TARGETS
from tests.support.server import Server

ASKED: list[dict[str, Any]] = [
    {},
    {"search": "beam", "settings": {"beam_size": 3}},
    {"search": "beam", "n_best": 2, "settings": {"beam_size": 4, "length_penalty": 0.6}},
    {"search": "beam", "n_best": None},
    {"search": "sample", "n_best": 3, "settings": {"seed": 7, "temperature": 0.8}},
    {"search": "mbr", "n_best": 2, "settings": {"candidates": 4, "utility": "bleu", "method": "sample"}},
    {"prefix": "un chien"},
    {"search": "beam", "prefix": [*TARGETS]},
    {"settings": {"max_len": 4}},
]


@pytest.fixture(scope="module")
def translator(folder: Path) -> Translator:
    return load(folder, "cpu", "float32")


@pytest.fixture(scope="module")
def reverse(reverse_folder: Path) -> Translator:
    return load(reverse_folder, "cpu", "float32")


def expected(translator: Translator, lines: list[str], asked: dict[str, Any]) -> list[Translation]:
    arguments = {**asked, **asked.get("settings", {})}
    arguments.pop("settings", None)
    return translator.translate(lines, **arguments)


def check(answer: dict[str, Any], one: Translation) -> None:
    """A candidate with its attention is that translation."""
    assert answer["text"] == one.text
    assert answer["score"] == pytest.approx(one.score, abs=1e-4)
    assert answer["finished"] == one.finished
    assert answer["words"] == one.words
    assert answer["source_words"] == one.source_words
    assert [tuple(link) for link in answer["alignment"]] == one.alignment
    shape = one.attention.shape
    np.testing.assert_allclose(np.reshape(answer["attention"], shape), one.attention, atol=1e-5)
    assert [one.source_words[word] for word in answer["unknown"]] == one.unknown_words


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_translations_are_the_translator_s(server: Server, translator: Translator, asked: dict[str, Any]) -> None:
    """Catches settings that do not reach the search, candidates in another order, and attention of other sentences."""
    answer = server.post("/translate", text=SOURCES, attention=True, **asked)
    assert answer.status == 200, answer.body
    translations = expected(translator, SOURCES, asked)

    assert len(answer.content["translations"]) == len(translations)
    for mine, one in zip(answer.content["translations"], translations, strict=True):
        check(mine, one)
        for other, candidate in zip(mine["others"], one.others, strict=True):
            check(other, candidate)


def test_one_sentence_may_be_a_text(server: Server, translator: Translator) -> None:
    """Catches a text that is mistaken for a list of letters; and attention that was not asked for."""
    (one,) = server.post("/translate", text=SOURCES[3]).content["translations"]
    assert one["text"] == translator.translate(SOURCES[3]).text
    assert one["attention"] is one["words"] is None


def test_subwords_are_rows_if_asked_for(server: Server, translator: Translator) -> None:
    """Catches words, instead of subwords, returned with the weights of subwords."""
    (one,) = server.post("/translate", text=SOURCES[3], attention=True, level="piece").content["translations"]
    direct = translator.translate(SOURCES[3])
    assert one["words"] == direct.pieces
    assert one["source_words"] == direct.source_pieces
    np.testing.assert_allclose(one["attention"], direct.weights("piece"), atol=1e-5)


def test_unknown_words_are_named(server: Server) -> None:
    """Catches a missing mark for an unknown word."""
    text = "a dog 漢 barks 字"
    for level, expected in (("word", [2, 4]), ("piece", None)):
        (one,) = server.post("/translate", text=text, attention=True, level=level).content["translations"]
        unknown = [position for position, word in enumerate(one["source_words"]) if word == "<unk>"]
        assert one["unknown"] == (expected or unknown)
        assert len(one["unknown"]) == 2


@pytest.mark.parametrize("asked", [{}, {"prefix": "un chien"}, {"prefix": "un", "count": 3, "level": "piece"}])
def test_alternatives_are_the_translator_s(server: Server, translator: Translator, asked: dict[str, Any]) -> None:
    """Catches words after another prefix or for another sentence, and settings that are ignored."""
    for text in SOURCES:
        answer = server.post("/alternatives", text=text, **asked).content
        direct = translator.alternatives(text, **asked)
        assert [one["word"] for one in answer["alternatives"]] == [one.word for one in direct]
        shares = [one["probability"] for one in answer["alternatives"]]
        assert shares == pytest.approx([one.probability for one in direct], rel=1e-4)
    assert answer["model"] == "small"


@pytest.mark.parametrize("asked", [{}, {"threshold": 0.2}, {"level": "piece"}, {"reverse": "back"}])
def test_alignments_are_the_translator_s(
    server: Server, translator: Translator, reverse: Translator, asked: dict[str, Any]
) -> None:
    """Catches links of another direction, threshold or level."""
    arguments = {**asked, "reverse": reverse} if "reverse" in asked else asked
    direct = translator.align(SOURCES, TARGETS, **arguments)
    answer = server.post("/align", sources=SOURCES, targets=TARGETS, **asked)
    assert [[tuple(link) for link in pair["links"]] for pair in answer.content["pairs"]] == direct


def test_scores_are_the_translator_s(server: Server, translator: Translator) -> None:
    """Catches scores of other pairs."""
    answer = server.post("/score", sources=SOURCES, targets=TARGETS)
    assert answer.content["scores"] == pytest.approx(translator.score(SOURCES, TARGETS), abs=1e-4)


def test_models_are_chosen_by_name(server: Server, reverse: Translator) -> None:
    """Catches a request that is answered by another model than it names."""
    answer = server.post("/translate", model="back", text=TARGETS[:2]).content
    assert answer["model"] == "back"
    assert [one["text"] for one in answer["translations"]] == [one.text for one in reverse.translate(TARGETS[:2])]
    assert server.post("/translate", text="a").content["model"] == "small"
    assert [(one["name"], one["src_lang"]) for one in server.get("/model").content["models"]] == [
        ("small", "en"),
        ("back", "fr"),
    ]


def test_requests_that_arrive_together_are_translated_together(server: Server, translator: Translator) -> None:
    """Catches requests that are run one by one, and answers that are sent to another request of the same batch."""
    words = " ".join(SOURCES).split()
    draw = random.Random(1)
    lines = [" ".join(draw.choices(words, k=draw.randint(1, 12))) for _ in range(64)]
    asked = [draw.choice(ASKED[:6]) for _ in lines]
    direct = [expected(translator, [line], own)[0] for line, own in zip(lines, asked, strict=True)]
    batches, requests = server.meter("heed_batch_requests_count"), server.meter("heed_batch_requests_sum")

    with ThreadPoolExecutor(32) as clients:
        answers = list(clients.map(lambda i: server.post("/translate", text=lines[i], **asked[i]), range(len(lines))))

    for answer, one in zip(answers, direct, strict=True):
        (mine,) = answer.content["translations"]
        assert [mine["text"], *(other["text"] for other in mine["others"])] == [each.text for each in one.candidates]
    assert server.meter("heed_batch_requests_sum") - requests == len(lines)
    assert server.meter("heed_batch_requests_count") - batches < 0.7 * len(lines)


def test_health_metrics_and_pages(server: Server) -> None:
    """Catches a policy that allows unsafe content, and a page that loads something from another server."""
    assert server.get("/health").content == {"status": "ok"}
    assert server.get("/metrics").headers["content-type"].startswith("text/plain")
    assert server.meter("process_resident_memory_bytes") > 0
    for path in ("/", "/docs"):
        answer = server.get(path)
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/html")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        addresses = {*re.findall(rb"https?://[^\"'\s]+", answer.body)}
        assert addresses <= {b"http://www.w3.org/2000/svg"}  # the namespace of SVG; nothing is loaded from it
    assert "/translate" in server.get("/openapi.json").content["paths"]


def test_no_other_origin_may_use_it(server: Server) -> None:
    """Catches a server on a private machine that any web page can use."""
    answer = server.send("OPTIONS", "/translate", origin="https://example.org", access_control_request_method="POST")
    assert "access-control-allow-origin" not in answer.headers
    assert answer.status == 405
    answer = server.send("POST", "/translate", b'{"text": "a"}', content_type="text/plain")
    assert answer.status == 422  # a browser sends text/plain without a preflight request
