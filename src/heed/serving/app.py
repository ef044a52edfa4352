"""The HTTP interface of a server."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from heed.errors import UserError
from heed.serving import bodies, pages
from heed.serving.groups import written
from heed.serving.guard import Guard, failure
from heed.serving.limits import Batching, Limits
from heed.serving.meters import CONTENT_TYPE, Meters
from heed.serving.models import Models, UnknownModel
from heed.serving.origins import check_origins
from heed.serving.queue import Asked, Fault, Full, Late, Queue, Work
from heed.translator import Translator

GONE = 499
"""The status that is counted if a client disconnects; it is not sent."""

DESCRIPTION = (
    "Translations with their attention, alignments and scores of trained models. Errors are answered with one line, "
    '{"error": "..."}. GET /model lists the models and the limits of a request.'
)

STATUSES = {
    400: "the body is not JSON",
    404: "no such model",
    408: "the request did not arrive in time",
    413: "the request is too long",
    422: "the request is invalid",
    500: "an internal error of the server",
    503: "too many requests are waiting; try again after Retry-After seconds",
    504: "the time limit of the request was reached",
}
FAILURES: dict[int | str, dict[str, Any]] = {
    code: {"model": bodies.Error, "description": text} for code, text in STATUSES.items()
}


PLAIN = {
    "missing": "has no value",
    "extra_forbidden": "there is no such key",
    "dict_type": "expected an object",
}
"""Messages about a body that replace pydantic's own."""


def create_app(
    translators: Mapping[str, Translator],
    limits: Limits | None = None,
    batching: Batching | None = None,
    origins: Sequence[str] = (),
) -> FastAPI:
    """Create the application for translators, by name; the first is the default.

    Args:
        translators: translators by name, at least one.
        limits: the limits of a request.
        batching: how requests are combined to batches.
        origins: origins of web pages that may use the server from a browser, such as `https://example.org`; `*` for
            all pages; empty for none.

    Raises:
        UserError: there is no translator, or an origin is invalid.
    """
    check_origins(origins)
    limits = limits or Limits()
    models, meters = Models(translators, limits), Meters()
    queue = Queue(batching or Batching(), limits, meters)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        queue.start()
        yield
        await asyncio.to_thread(queue.stop)

    app = FastAPI(
        title="heed", description=DESCRIPTION, version=version("heed"), lifespan=lifespan, docs_url=None, redoc_url=None
    )
    _add_errors(app)
    _add_work(app, models, queue, limits, meters)
    _add_state(app, models, queue, limits, meters)
    pages_and_state = ["/", "/docs", "/openapi.json", "/model", "/health", "/metrics"]
    paths = [*pages_and_state, "/translate", "/alternatives", "/align", "/score"]
    app.add_middleware(Guard, limits=limits, meters=meters, paths=paths)
    if origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(origins), allow_methods=["GET", "POST"], allow_headers=["content-type"]
        )
    return app


def _add_work(app: FastAPI, models: Models, queue: Queue, limits: Limits, meters: Meters) -> None:
    """Add the paths that run a model."""

    async def answer(request: Request, asked: Asked) -> Response:
        return await _answered(request, Work(asked, time.monotonic() + limits.seconds), queue, meters)

    @app.post("/translate", responses=FAILURES, response_model=bodies.Translations)
    async def translate(request: Request, body: bodies.Translate) -> Response:
        """Translate one sentence, or several, as `Translator.translate` does."""
        return await answer(request, models.translate(body))

    @app.post("/alternatives", responses=FAILURES, response_model=bodies.Alternatives)
    async def alternatives(request: Request, body: bodies.NextWords) -> Response:
        """The words that could come next in a translation, as `Translator.alternatives` returns them."""
        return await answer(request, models.alternatives(body))

    @app.post("/align", responses=FAILURES, response_model=bodies.Alignments)
    async def align(request: Request, body: bodies.Align) -> Response:
        """Link the words of each target to the words of its source, as `Translator.align` does."""
        return await answer(request, models.align(body))

    @app.post("/score", responses=FAILURES, response_model=bodies.Scores)
    async def score(request: Request, body: bodies.Score) -> Response:
        """The log-probability of each target as the translation of its source, as `Translator.score` does."""
        return await answer(request, models.score(body))


async def _answered(request: Request, work: Work, queue: Queue, meters: Meters) -> Response:
    """Wait for the answer until the client disconnects or the time limit is reached."""
    queue.add(work)
    gone = asyncio.ensure_future(_gone(request))
    either: set[asyncio.Future[Any]] = {work.answer, gone}
    try:
        await asyncio.wait(either, timeout=work.deadline - time.monotonic(), return_when=asyncio.FIRST_COMPLETED)
        if work.answer.done():
            return Response(work.answer.result(), media_type="application/json")
        if gone.done():
            meters.gone.inc()
            return Response(status_code=GONE)
        raise Late
    finally:
        gone.cancel()
        if not work.answer.done():
            queue.drop(work)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _add_state(app: FastAPI, models: Models, queue: Queue, limits: Limits, meters: Meters) -> None:
    """Add the paths for the server's state, and the pages."""
    about = written(models.about())
    by_languages = pages.translating_pages(models.translators, limits.characters)

    @app.get("/model", response_model=bodies.Models)
    async def model() -> Response:
        """The models by name, the default first, and the limits of a request."""
        return Response(about, media_type="application/json")

    @app.get("/health", response_model=bodies.Health, responses={503: {"model": bodies.Error}})
    async def health() -> Response:
        """Whether the server works; answered at once, even if requests are waiting."""
        if not queue.alive:
            return failure(503, "the thread that runs the models has stopped; restart the server")
        return Response(b'{"status":"ok"}', media_type="application/json")

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Counters in Prometheus' format."""
        return Response(meters.text(), headers={"content-type": CONTENT_TYPE})

    @app.get("/", include_in_schema=False)
    async def page(languages: str | None = None) -> Response:
        page = by_languages.get(next(iter(by_languages)) if languages is None else languages)
        return page or failure(404, f"no model for these languages; expected one of {', '.join(by_languages)}")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return pages.docs_page(app.openapi())


def _add_errors(app: FastAPI) -> None:
    """Answer all errors with one line."""

    @app.exception_handler(UserError)
    async def of_user(_: Request, error: UserError) -> Response:
        return failure(404 if isinstance(error, UnknownModel) else 422, str(error))

    @app.exception_handler(RequestValidationError)
    async def of_schema(_: Request, error: RequestValidationError) -> Response:
        faults = error.errors()
        malformed = any(fault["type"] == "json_invalid" for fault in faults)
        line = "; ".join(dict.fromkeys(map(_fault, faults[:3])))
        return failure(400 if malformed else 422, "the body is not JSON" if malformed else line)

    @app.exception_handler(HTTPException)
    async def of_http(_: Request, error: HTTPException) -> Response:
        return failure(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Full)
    async def full(_: Request, error: Full) -> Response:
        return failure(503, "too many requests are waiting; try again in a second", {"retry-after": "1"})

    @app.exception_handler(Late)
    async def late(_: Request, error: Late) -> Response:
        return failure(504, "the time limit of the request was reached; send less text, or try again later")

    @app.exception_handler(Fault)
    async def fault(_: Request, error: Fault) -> Response:
        return failure(500, "an internal error of the server; see its log")


def _fault(fault: Mapping[str, Any]) -> str:
    """The key and the kind of an error in a body, without its values."""
    where = ".".join(str(part)[:50] for part in fault["loc"] if part not in ("body", "[key]"))
    if not where:
        return "expected a JSON object with the header content-type: application/json"
    said = fault["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    return f"{where}: {PLAIN.get(fault['type'], said)}"
