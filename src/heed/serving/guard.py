"""Middleware around every request: limits of size and time, security headers, counters, errors without traceback."""

import asyncio
import logging
import time
from collections.abc import Collection
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heed.serving.groups import written
from heed.serving.limits import Limits
from heed.serving.meters import Meters

log = logging.getLogger(__name__)

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Headers of every answer, unless it sets them itself."""


class Refused(Exception):
    """A request that is refused before it reaches the application."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status, self.line = status, line


def failure(status: int, line: str, headers: dict[str, str] | None = None) -> Response:
    """The answer to a failed request: one short line as JSON."""
    text = "".join(sign if sign.isprintable() else "\ufffd" for sign in " ".join(line.split()))
    body = written({"error": text if len(text) <= 500 else f"{text[:499]}…"})
    return Response(body, status, headers, media_type="application/json")


class Guard:
    """The middleware; `paths` are the paths that are counted by name."""

    def __init__(self, app: ASGIApp, limits: Limits, meters: Meters, paths: Collection[str]) -> None:
        self._app, self._limits, self._meters, self._paths = app, limits, meters, frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _complete(message)
            await send(message)

        try:
            await self._answer(scope, receive, answer)
        except Exception:
            log.exception("a request failed")
            if not status:
                await failure(500, "an internal error of the server; see its log")(scope, receive, answer)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._meters.answered(path, status, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, answer: Send) -> None:
        try:
            body = await self._body(Headers(scope=scope), receive) if scope["method"] == "POST" else b""
        except Refused as refused:
            await failure(refused.status, refused.line, {"connection": "close"})(scope, receive, answer)
            return
        if body is not None:
            await self._app(scope, _again(body, receive), answer)

    async def _body(self, headers: Headers, receive: Receive) -> bytes | None:
        """The whole body; None if the client has disconnected.

        Raises:
            Refused: the body is too long, or takes too long to arrive.
        """
        most = self._limits.body
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > most:
            raise Refused(413, f"the request has {length[:20]} bytes, expected at most {most}")
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(self._limits.seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message.get("body", b""))
                    if sum(map(len, parts)) > most:
                        raise Refused(413, f"the request has more than {most} bytes")
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError as error:
            raise Refused(408, f"the request did not arrive within {self._limits.seconds:g} seconds") from error


def _again(body: bytes, receive: Receive) -> Receive:
    """A receive function for the application: it returns the body that was read, then later messages."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message


def _complete(message: Message) -> None:
    headers = MutableHeaders(raw=message.setdefault("headers", []))
    message["headers"] = headers.raw
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
