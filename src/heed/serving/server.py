"""Run an application on a socket until SIGTERM or Ctrl-C; requests in progress are finished."""

import asyncio
import math
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from heed.errors import UserError


class Connection(H11Protocol):
    """uvicorn's connection, which also ends if the client does not send a request, or read the answer, in time."""

    seconds = 30.0
    """The time limit of each of the two, in seconds."""
    _sent: asyncio.TimerHandle | None = None
    _read: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._sent = self._later()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request, unlike its type
        if cycle is None or cycle.response_complete:
            self._sent = self._sent or self._later()
        elif self._sent is not None:
            self._sent.cancel()
            self._sent = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._read = self._later()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._read is not None:
            self._read.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._sent, self._read):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def _later(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self.seconds, self.transport.abort)


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; port 0 means any free port.

    Raises:
        UserError: the address does not belong to this machine, or the port is in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with ExitStack() as opened:
            listening = opened.enter_context(socket.socket(family, kind, protocol))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(2048)
            opened.pop_all()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"host={host} port={port}: {reason}; choose another port, or an address of this machine"
        ) from error
    return listening


def address_of(listening: socket.socket) -> str:
    """The URL of the server."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def run(app: FastAPI, listening: socket.socket, seconds: float, ready: Callable[[], object] = lambda: None) -> None:
    """Serve until a signal arrives; then accept no more requests and finish those in progress.

    uvicorn then raises the signal again for the previous handler.

    Args:
        app: the application from `heed.serving.app.create_app`.
        listening: the socket from `listen`.
        seconds: the time limit for a client to send the head of a request and to read the answer. Requests in progress
            at the end may take five seconds more.
        ready: called when requests are accepted.
    """
    config = uvicorn.Config(
        app,
        http=type("Connection", (Connection,), {"seconds": seconds}),
        ws="none",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=math.ceil(seconds) + 5,
        lifespan="on",
    )
    _Server(config, ready).run(sockets=[listening])
