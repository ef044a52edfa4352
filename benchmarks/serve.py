"""Measure requests per second and response times of heed-serve, with batching and with each request translated alone.

The script starts the servers on free ports of 127.0.0.1 and ends them. Each client keeps one connection open, sends one
sentence in a request, and sends the next request as soon as it has the response. A running server of OpenNMT-py on this
machine can be measured too.

    python benchmarks/serve.py runs/tiny/model data/tiny/test.en
    python benchmarks/serve.py runs/tiny/model data/tiny/test.en --endure 100000 --seconds 4500

The second command sends that number of requests to a server with batching, and prints how its memory grows.
"""

import argparse
import asyncio
import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from heed.data.lines import read_lines
from heed.signals import as_exceptions

SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {"search": "greedy"},
    "beam5": {"search": "beam", "settings": {"beam_size": 5}},
}
SERVERS = {"batched": [], "alone": ["batching.sentences=1", "batching.milliseconds=0"]}
MEBIBYTE = 2**20


class Target(NamedTuple):
    """A server on this machine: its port, and the request for a sentence."""

    port: int
    request: Callable[[str], bytes]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model folder")
    parser.add_argument("source", type=Path, help="one sentence a line")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=2000, help="the most requests of a measurement")
    parser.add_argument("--seconds", type=float, default=60, help="the longest time of a measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--max-len", type=int, help="the largest length of a translation in subwords")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--opennmt-port", type=int, help="the port of a running OpenNMT-py server on this machine")
    parser.add_argument("--opennmt-pieces", type=Path, help="the source sentences in that model's subwords")
    parser.add_argument(
        "--endure",
        type=int,
        help="send this many requests (at most for --seconds); print the server's memory",
    )
    return parser.parse_args()


def main() -> None:
    """Run all measurements in interleaved rounds, or the long one."""
    args = arguments()
    lines = [line for line in read_lines(args.source) if line.strip()]
    if args.endure:
        endure(args, lines)
        return
    speeds_of: dict[str, list[float]] = {}
    for _ in range(args.rounds):
        for search in args.searches:
            for name, options in SERVERS.items():
                with serving(args, *options) as port:
                    body = with_length(SEARCHES[search], args.max_len)
                    speeds_of.setdefault(f"{name} {search}", []).append(
                        measure(f"heed {name} {search}", Target(port, to_heed(body)), args, lines)
                    )
        if args.opennmt_port:
            pieces = read_lines(args.opennmt_pieces)
            speed = measure("opennmt", Target(args.opennmt_port, to_opennmt), args, pieces)
            speeds_of.setdefault("opennmt", []).append(speed)
    for name, speeds in speeds_of.items():
        print(f"MEDIAN {name} requests/s {median(speeds):.0f}  rounds {' '.join(f'{one:.0f}' for one in speeds)}")


@contextmanager
def serving(args: argparse.Namespace, *options: str) -> Iterator[int]:
    """Start heed-serve and yield its port; end it when the block ends."""
    command = [sys.executable, "-m", "heed.cli.serve", f"model={args.model}", "port=0", "device=cpu", *options]
    command.append(f"precision={args.precision}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("serving "):
                sys.exit("heed-serve did not start; run it by hand to see why")
            yield int(line.rpartition(":")[2])
        finally:
            process.terminate()


def with_length(body: dict[str, Any], max_len: int | None) -> dict[str, Any]:
    """The request, with the largest length of a translation if it is given."""
    return body if max_len is None else body | {"settings": {**body.get("settings", {}), "max_len": max_len}}


def to_heed(body: dict[str, Any]) -> Callable[[str], bytes]:
    """The request to heed for a sentence."""
    return lambda line: post("/translate", {"text": line, **body})


def to_opennmt(pieces: str) -> bytes:
    """The request to OpenNMT-py's server for a sentence."""
    return post("/translator/translate", [{"src": pieces, "id": 100}])


def post(path: str, content: object) -> bytes:
    """The bytes of a request."""
    body = json.dumps(content).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


def measure(name: str, target: Target, args: argparse.Namespace, lines: list[str]) -> float:
    """Measure requests per second; print them with response times."""
    asyncio.run(drive(target, lines, args.clients, 2 * args.clients, args.seconds))
    start = time.perf_counter()
    times, failures = asyncio.run(drive(target, lines, args.clients, args.requests, args.seconds))
    speed = len(times) / (time.perf_counter() - start)
    times.sort()
    p50, p99 = (1000 * times[int(share * (len(times) - 1))] for share in (0.5, 0.99))
    print(
        f"RESULT {name} clients {args.clients} requests {len(times)} failures {failures} requests/s {speed:.0f} "
        f"p50 {p50:.0f} ms p99 {p99:.0f} ms",
        flush=True,
    )
    return speed


async def drive(
    target: Target, lines: list[str], clients: int, requests: int, seconds: float
) -> tuple[list[float], int]:
    """The seconds that each response took, and how many responses had another status than 200."""
    end = time.perf_counter() + seconds
    numbers = iter(range(requests))
    times: list[float] = []
    failures = 0

    async def client() -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        for number in numbers:
            start = time.perf_counter()
            if start > end:
                break
            writer.write(target.request(lines[number % len(lines)]))
            status, closed = await answered(reader)
            times.append(time.perf_counter() - start)
            failures += status != 200
            if closed:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return times, failures


async def answered(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Read a response; return its status, and whether the server closes the connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = re.search(rb"content-length: (\d+)", head)
    if length is None:
        raise SystemExit(f"the server's response has no Content-Length: {head!r}")
    await reader.readexactly(int(length[1]))
    return int(head.split()[1]), b"connection: close" in head


def endure(args: argparse.Namespace, lines: list[str]) -> None:
    """Send many requests in twenty parts; print the memory of the server after each part."""
    body = with_length(SEARCHES[args.searches[0]], args.max_len)
    with serving(args) as port:
        end, done, failed = time.perf_counter() + args.seconds, 0, 0
        for part in itertools.count(1):
            left = end - time.perf_counter()
            if done >= args.endure or left <= 0:
                break
            count = min(max(1, args.endure // 20), args.endure - done)
            times, failures = asyncio.run(drive(Target(port, to_heed(body)), lines, args.clients, count, left))
            done, failed = done + len(times), failed + failures
            memory = asyncio.run(resident(port))
            print(f"{part:3} requests {done:7,} failures {failed} memory {memory:6.1f} MiB", flush=True)


async def resident(port: int) -> float:
    """The memory that the server itself reports."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    return float(text.partition("\nprocess_resident_memory_bytes ")[2].split()[0]) / MEBIBYTE


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with as_exceptions():  # so that a signal ends the servers too
        main()
