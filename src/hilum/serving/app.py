"""The HTTP application: API, page and what watches over them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.types import ASGIApp

from hilum.serving.http.guard import Guard
from hilum.serving.http.problems import add_handlers
from hilum.serving.http.routes import api_routes
from hilum.serving.http.served import Room
from hilum.serving.http.settings import Settings
from hilum.serving.prediction import NOT_FOR
from hilum.serving.predictor import Predictor
from hilum.version import __version__

PAGE = Path(__file__).with_name("page")
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/viewer.js": ("viewer.js", "text/javascript; charset=utf-8"),
    "/words.js": ("words.js", "text/javascript; charset=utf-8"),
}
"""Path -> file of the page and its kind; nothing else of the disk is served."""
OPEN = frozenset({*FILES, "/style.css", "/healthz", "/readyz", "/favicon.ico"})
"""Paths that need no token."""


def create_app(
    predictors: Mapping[str, Predictor],
    settings: Settings | None = None,
    *,
    indexes: Mapping[str, Path] | None = None,
    style: str = "",
) -> tuple[ASGIApp, Room]:
    """The application, and what its requests share.

    Args:
        predictors: name -> model, see `load_models`.
        settings: bounds; None takes those of a server for this machine only.
        indexes: name -> index of neighbours.
        style: the stylesheet that the page shares with the report.

    Raises:
        DataError: an index that is not the model's.
    """
    room = Room(predictors, settings or Settings(), indexes)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await room.start()
        try:
            yield
        finally:
            await room.stop()

    app = FastAPI(
        title="hilum",
        version=__version__,
        description=NOT_FOR,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    add_handlers(app)
    app.include_router(api_routes(room))
    _add_page(app, style)
    return Guard(app, room.settings, room.metrics, OPEN.__contains__), room


def _add_page(app: FastAPI, style: str) -> None:
    """The page, read once: what is served cannot change under a running server."""
    served = {path: ((PAGE / name).read_bytes(), kind) for path, (name, kind) in FILES.items()}
    served["/style.css"] = style.encode(), "text/css; charset=utf-8"
    for path, (content, kind) in served.items():
        app.add_api_route(path, _sender(content, kind), include_in_schema=False)


def _sender(content: bytes, kind: str):  # a route without arguments
    async def send() -> Response:
        return Response(content, media_type=kind)

    return send
