"""Errors as answers: problem details, RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from hilum.errors import HilumError, ImageRejected

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that gets no result.

    Args:
        status: of the answer.
        code: a short fixed word.
        detail: what is wrong and the way out; never text out of the request.
        headers: such as Retry-After.
        close: ends the connection: the rest of the request is not read.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, close: bool = False
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers = {**(headers or {}), **({"connection": "close"} if close else {})}


def busy(what: str, seconds: int) -> Problem:
    """503: come back later.

    Args:
        what: is full, a sentence.
        seconds: after which there should be room.
    """
    return Problem(503, "busy", f"{what} Try again in {seconds} s.", headers={"retry-after": str(seconds)})


def problem_response(problem: Problem) -> Response:
    """The answer to a request that failed."""
    content = {
        "type": f"urn:hilum:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
    }
    return JSONResponse(content, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Every error of the application becomes a problem document."""

    async def of_problem(_request: Request, error: Any) -> Response:
        return problem_response(error)

    async def of_rejection(_request: Request, error: Any) -> Response:
        return problem_response(Problem(422, error.code, sentence_of(error)))

    async def of_hilum(_request: Request, error: Any) -> Response:
        return problem_response(Problem(422, "unusable", str(error)))

    async def of_validation(_request: Request, error: Any) -> Response:
        names = sorted({str(each["loc"][-1]) for each in error.errors()})
        return problem_response(Problem(422, "parameters", f"Not a value for {', '.join(names)}; see /openapi.json."))

    async def of_http(_request: Request, error: Any) -> Response:
        detail = "Not a way that is served; see /openapi.json." if error.status_code in (404, 405) else "Refused."
        phrase = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return problem_response(Problem(error.status_code, phrase, detail, headers=error.headers))

    async def of_departure(_request: Request, _error: Any) -> Response:
        return Response(status_code=400)  # nobody is there to read it

    async def of_anything(_request: Request, _error: Any) -> Response:
        return problem_response(Problem(500, "internal", "The server failed; its log has the place."))

    app.add_exception_handler(Problem, of_problem)
    app.add_exception_handler(ImageRejected, of_rejection)
    app.add_exception_handler(HilumError, of_hilum)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(ClientDisconnect, of_departure)
    app.add_exception_handler(Exception, of_anything)


def sentence_of(rejected: ImageRejected) -> str:
    """Why an image was rejected, without ways out that belong to the command line."""
    return f"expected {rejected.expected}, found {rejected.found or 'something else'}"
