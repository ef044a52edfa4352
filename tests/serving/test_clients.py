"""Clients that request too much, are slow or disconnect; and the shutdown of a server."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ROOT, Answer, Server, read, request, serving, wait_until

SLOW: dict[str, Any] = {
    "text": ["a dog sees a cat"] * 16,
    "search": "sample",
    "n_best": 16,
    "settings": {"max_len": 1000, "temperature": 5.0},
}
"""A request that takes seconds: 256 long translations at once, as an untrained model hardly ever ends one by itself."""


@pytest.fixture(scope="module")
def narrow(folder: Path) -> Iterator[Server]:
    """A server with a short queue and a short time limit; each request is run alone."""
    settings = "limits.waiting=48 limits.sentences=16 limits.seconds=5.0 batching.sentences=1".split()
    with serving(f"model={folder}", *settings) as server:
        yield server


@pytest.mark.slow
def test_a_full_queue_answers_at_once(narrow: Server) -> None:
    """Catches a queue without a limit, in which requests wait until their clients have disconnected."""
    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(lambda _: narrow.post("/translate", **SLOW), range(12)))
    refused = [answer for answer in answers if answer.status == 503]
    assert refused
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    assert {answer.status for answer in answers} <= {200, 503, 504}
    wait_until(lambda: narrow.meter("heed_waiting_sentences") == 0)
    wait_until(lambda: narrow.post("/translate", text="a").status == 200)


@pytest.mark.slow
def test_a_request_that_takes_too_long_is_given_up(folder: Path) -> None:
    """Catches a client that waits forever, and work for a request that was already answered with 504."""
    with (
        serving(f"model={folder}", "limits.seconds=0.2", "batching.sentences=1") as server,
        ThreadPoolExecutor(12) as clients,
    ):
        answers = list(clients.map(lambda _: server.post("/translate", **SLOW), range(12)))
        late = [answer for answer in answers if answer.status == 504]
        assert late
        assert "time" in late[0].content["error"]
        assert server.meter("heed_waiting_sentences") == 0
        wait_until(lambda: server.post("/translate", text="a").status == 200)


@pytest.mark.slow
def test_a_slow_request_is_given_up(narrow: Server) -> None:
    """Catches a connection that an incomplete request holds open, and other requests that wait for it."""
    with narrow.connect() as connection:
        connection.sendall(request("/translate", {"text": "a"}, length=1000))
        assert narrow.post("/translate", text="a").status == 200
        assert read(connection).startswith(b"HTTP/1.1 408 ")


@pytest.mark.slow
def test_a_connection_without_a_request_is_closed(narrow: Server) -> None:
    """Catches a connection held open before the headers are complete, for which uvicorn 0.54 sets no limit."""
    with narrow.connect() as connection, narrow.connect() as silent:
        connection.sendall(b"POST /translate HTTP/1.1\r\nhost: ")
        assert connection.recv(1000) == b""
        assert silent.recv(1000) == b""


@pytest.mark.slow
def test_an_answer_that_is_not_read_is_given_up(narrow: Server) -> None:
    """Catches unread answers that fill the memory, and other requests that wait for them."""
    wide = {"text": ["a dog " * 40] * 6, "search": "sample", "n_best": 16, "settings": {"max_len": 100}}
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", narrow.port))
        connection.sendall(request("/translate", {**wide, "attention": True, "level": "piece"}))
        head = connection.recv(4096)
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = int(head.partition(b"content-length: ")[2].split()[0])
        assert length > 2**21
        assert narrow.post("/translate", text="a").status == 200
        time.sleep(6)
        got = 0
        with suppress(OSError):  # a reset
            got = len(read(connection))
        assert got < length


@pytest.mark.slow
def test_requests_of_disconnected_clients_are_dropped(narrow: Server) -> None:
    """Catches work for disconnected clients, which delays the work of others."""
    batches, gone = narrow.meter("heed_batch_requests_count"), narrow.meter("heed_clients_gone_total")
    clients = [narrow.connect() for _ in range(3)]
    for connection in clients:  # one is run, two wait
        connection.sendall(request("/translate", SLOW))
    wait_until(lambda: narrow.meter("heed_waiting_sentences") == 32)
    for connection in clients:
        connection.close()
    wait_until(lambda: narrow.meter("heed_clients_gone_total") == gone + 3)
    assert narrow.meter("heed_waiting_sentences") == 0
    wait_until(lambda: narrow.post("/translate", text="a").status == 200)
    assert narrow.meter("heed_batch_requests_count") <= batches + 3


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_finish(folder: Path, number: signal.Signals) -> None:
    """Catches a shutdown that cuts off requests in progress, or that accepts new ones."""
    answers: list[Answer] = []

    def ask() -> None:
        answers.append(server.post("/translate", **SLOW))

    with serving(f"model={folder}", "batching.sentences=1") as server:
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_until(lambda: server.meter("heed_waiting_sentences") == 32)
        server.process.send_signal(number)
        for thread in threads:
            thread.join()
        assert [answer.status for answer in answers] == [200, 200, 200]
        assert server.process.wait(30) == 0
        with pytest.raises(OSError), server.connect():  # noqa: PT011 - refused, or reset
            pass


def outcome(*settings: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "heed.cli.serve", *settings]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)


@pytest.mark.slow
def test_a_server_that_cannot_start_says_why_in_one_line(folder: Path) -> None:
    """Catches uvicorn's own message for a port in use, and a missing model that only the first request reports."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = outcome(f"model={folder}", f"port={port}")
        assert ended.returncode == 2
        assert ended.stderr.startswith(f"heed-serve: host=127.0.0.1 port={port}: ")
        assert len(ended.stderr.splitlines()) == 1
    ended = outcome("model=nowhere", "port=0")
    assert ended.returncode == 2
    assert "nowhere is not a model folder" in ended.stderr


@pytest.mark.slow
def test_pages_of_a_named_origin_may_use_it(folder: Path) -> None:
    """Catches a setting that admits all origins, or none."""
    with serving(f"model={folder}", "origins=[https://example.org]") as server:
        for origin, admitted in (("https://example.org", True), ("https://example.com", False)):
            answer = server.send("GET", "/health", origin=origin)
            assert ("access-control-allow-origin" in answer.headers) == admitted
