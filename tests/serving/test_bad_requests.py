"""An error in a request is reported in one line, and the server continues."""

import json
import random
from typing import Any

import pytest

from tests.support.server import Answer, Server, read

HOSTILE = "<script>alert(1)</script>\x00\x1b[31m\u202e'\"&"

BAD: list[tuple[str, dict[str, Any], str]] = [
    ("/translate", {}, "text"),
    ("/translate", {"text": 3}, "text"),
    ("/translate", {"text": []}, "text"),
    ("/translate", {"text": ["a"] * 65}, "65 sentences, expected at most 64"),
    ("/translate", {"text": "a" * 1001}, "1001 characters, expected at most 1000"),
    ("/translate", {"text": "a", "prefix": ["b", "c"]}, "2 prefixes for 1 sentences"),
    ("/translate", {"text": "a", "serach": "beam"}, "serach"),
    ("/translate", {"text": "a", "search": "beem"}, "did you mean beam"),
    ("/translate", {"text": "a", "n_best": 0}, "n_best"),
    ("/translate", {"text": "a", "n_best": 2}, "returns only one translation"),
    ("/translate", {"text": "a", "n_best": True}, "n_best"),
    ("/translate", {"text": "a", "search": "sample", "n_best": 17}, "at most 16"),
    ("/translate", {"text": "a", "search": "beam", "settings": {"beam_size": 17}}, "at most 16"),
    ("/translate", {"text": "a", "search": "beam", "settings": {"beam_size": 0}}, "beam_size"),
    ("/translate", {"text": "a", "search": "beam", "settings": {"beam_size": 10**4000}}, "search.beam_size"),
    ("/translate", {"text": "a", "search": "beam", "settings": {"beam_size": "5"}}, "beam_size"),
    ("/translate", {"text": "a", "search": "beam", "settings": {"length_penalty": 99.0}}, "length_penalty"),
    ("/translate", {"text": "a", "search": "beam", "settings": {"coverage_penalty": 1e300}}, "coverage_penalty"),
    ("/translate", {"text": "a", "search": "sample", "settings": {"temperature": 0.0}}, "temperature"),
    ("/translate", {"text": "a", "search": "sample", "settings": {"temperature": 1e-310}}, "temperature"),
    ("/translate", {"text": "a", "search": "sample", "settings": {"n_best": 3}}, "outside of settings"),
    ("/translate", {"text": "a", "settings": {"max_len": 10**12}}, "max_len"),
    ("/translate", {"text": "a", "settings": {"min_len": 1001}}, "min_len"),
    ("/translate", {"text": "a", "settings": {"model": 1}}, "no such setting"),
    (
        "/translate",
        {"text": ["a" * 900] * 64, "search": "beam", "settings": {"beam_size": 16}},
        "attention weights, expected at most 20000000",
    ),
    ("/translate", {"text": ["a" * 200] * 64, "attention": True, "settings": {"max_len": 1000}}, "attention weights"),
    ("/alternatives", {}, "text"),
    ("/alternatives", {"text": ["a"]}, "text"),
    ("/alternatives", {"text": "a", "count": 0}, "count"),
    ("/alternatives", {"text": "a", "count": 17}, "count=17: expected at most 16"),
    ("/alternatives", {"text": "a", "prefix": "b" * 1001}, "prefix: sentence 1 has 1001 characters"),
    ("/alternatives", {"text": "a", "level": "letter"}, "level"),
    ("/align", {"sources": ["a"], "targets": ["b", "c"]}, "1 sources and 2 targets"),
    ("/align", {"sources": "a", "targets": "b", "threshold": 2.0}, "threshold"),
    ("/align", {"sources": "a", "targets": "b", "level": "letter"}, "level"),
    ("/align", {"sources": "a", "targets": "b", "reverse": "small"}, "other direction"),
    ("/score", {"sources": "a"}, "targets: has no value"),
    ("/translate", {"text": None}, "text: expected a sentence, or a list of one or more"),
    ("/translate", {"text": ["a", 3]}, "text: expected a sentence, or a list of one or more"),
    ("/translate", {"text": "\ud800"}, "text: has half of a surrogate pair"),
    ("/translate", {"text": ["a", "\udfff"]}, "text: has half of a surrogate pair"),
    ("/translate", {"text": "a", "prefix": []}, "prefix: expected a sentence, or a list of one or more"),
    (
        "/translate",
        {"text": "a", "search": "mbr", "settings": {"candidates": 17}},
        "candidates=17: expected at most 16",
    ),
    ("/translate", {"text": "a", "search": "mbr", "settings": {"utility": "ter"}}, "search.utility"),
    ("/translate", {"text": "a", "search": "mbr", "settings": {"utility": "\ud800"}}, "half of a surrogate pair"),
    (
        "/translate",
        {"text": "a", "settings": {"beam_size": [1]}},
        "expected a finite number, a name, true, false or null",
    ),
    ("/translate", {"text": "a", "settings": [1]}, "settings: expected an object"),
    ("/align", {"sources": "a", "targets": {}}, "targets: expected a sentence, or a list of one or more"),
]

RAW: list[tuple[bytes, int]] = [
    (b"", 422),
    (b"{", 400),
    (b"null", 422),
    (b"[]", 422),
    (b'"text"', 422),
    (b"\xff\xfe", 400),
    (b"[" * 20_000, 400),
    (b'{"text": ' + b"[" * 20_000, 400),
    (b'{"text": NaN}', 422),
    (b'{"text": "a", "search": "beam", "settings": {"coverage_penalty": NaN}}', 422),
    (b'{"text": "a", "search": "sample", "settings": {"temperature": Infinity}}', 422),
    (b'{"text": "a", "search": "sample", "settings": {"seed": ' + b"9" * 5000 + b"}}", 400),
    (b'{"text": "\\ud800"}', 422),
    (b'{"text": "a", "model": "\\ud800"}', 422),
    (b'{"text": "a", "settings": {"\\ud800": 1}}', 422),
]


INNER = ("Traceback", "function-", "Input should", "list[", "[key]", "Value error")
"""Parts of messages of Python and pydantic that do not help a user."""


def check_line(answer: Answer) -> str:
    """Check that the answer is one line as JSON; return the line."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert list(answer.content) == ["error"]
    line: str = answer.content["error"]
    assert line.isprintable()
    assert 0 < len(line) <= 500
    assert not any(inner in line for inner in INNER)
    assert not set(b"<>&") & set(answer.body)
    return line


@pytest.mark.parametrize(("path", "body", "message"), BAD, ids=[f"{path} {str(body)[:60]}" for path, body, _ in BAD])
def test_a_bad_request_is_one_line(server: Server, path: str, body: dict[str, Any], message: str) -> None:
    """Catches a request beyond the limits that is run, or an error in it that is reported as an error of the server."""
    answer = server.post(path, **body)
    assert answer.status == 422, answer.body
    assert message in check_line(answer)


@pytest.mark.parametrize(("body", "status"), RAW, ids=[str(body[:60]) for body, _ in RAW])
def test_what_is_not_a_request_is_one_line(server: Server, body: bytes, status: int) -> None:
    """Catches a parser's own exception."""
    answer = server.send("POST", "/translate", body, content_type="application/json")
    assert answer.status == status, answer.body
    check_line(answer)


def test_unknown_paths_methods_and_models(server: Server) -> None:
    """Catches an answer that is not JSON."""
    for answer, status in (
        (server.get("/nothing"), 404),
        (server.get("/translate"), 405),
        (server.send("DELETE", "/model"), 405),
        (server.post("/translate", text="a", model="smal"), 404),
    ):
        assert answer.status == status
        check_line(answer)


def test_a_long_body_is_not_read(server: Server) -> None:
    """Catches a server whose memory a single request can fill."""
    with server.connect() as connection:
        connection.sendall(b"POST /translate HTTP/1.1\r\nhost: here\r\ncontent-length: 100000000000\r\n\r\n")
        assert read(connection).startswith(b"HTTP/1.1 413 ")
    with server.connect() as connection:  # a body without a length
        connection.sendall(b"POST /translate HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        with pytest.raises(OSError):  # noqa: PT011 - reset, or a broken pipe
            connection.sendall(1000 * chunk)


@pytest.mark.parametrize("key", ["text", "model", "search", "level", "prefix", "settings"])
def test_hostile_text_is_never_markup(server: Server, key: str) -> None:
    """Catches untrusted text that a browser or a terminal would interpret."""
    value: Any = {HOSTILE: 1} if key == "settings" else HOSTILE
    answer = server.post("/translate", **{"text": HOSTILE, "attention": True, key: value})
    assert not set(b"<>&\x1b\x00") & set(answer.body)
    if key in ("text", "prefix"):
        assert answer.status == 200
        assert answer.content["translations"][0]["source_words"] == HOSTILE.split()
    else:
        check_line(answer)


def test_a_thousand_malformed_bodies(server: Server) -> None:
    """Catches bytes that cause an answer of 500, or that change the answer to a good request afterwards."""
    draw, good = random.Random(4), {"text": "the cat sees a dog", "search": "beam", "settings": {"beam_size": 3}}
    before = server.post("/translate", **good).content
    statuses = {server.send("POST", "/translate", _malformed(draw), content_type="application/json").status
                for _ in range(1000)}  # fmt: skip
    assert statuses <= {200, 400, 404, 422}
    assert 422 in statuses
    after = server.post("/translate", **good).content
    assert after == before


def _malformed(draw: random.Random) -> bytes:
    """A good body with some values replaced by values of any type, or with a few bytes changed."""
    values: list[Any] = [
        None,
        True,
        -1,
        0,
        2**63,
        1e308,
        -0.0,
        "",
        "a" * 2000,
        HOSTILE,
        [],
        [[]],
        ["a", 1],
        {},
        {"a": {}},
    ]
    body: dict[str, Any] = {
        "text": "a dog",
        "search": "beam",
        "n_best": 1,
        "settings": {"beam_size": 2},
        "prefix": "un",
    }
    for _ in range(draw.randint(0, 2)):
        body[draw.choice([*body, "model", "attention", "level", HOSTILE])] = draw.choice(values)
    text = bytearray(json.dumps(body).encode())
    for _ in range(draw.choice([0, 0, 1, 3, 10])):
        text[draw.randrange(len(text))] = draw.randrange(256)
    return bytes(text[: draw.choice([len(text), len(text), draw.randrange(len(text))])])
