"""What every request passes first and every answer last: who may ask, and what a browser may do with the answer."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilum.serving.http.metrics import Metrics
from hilum.serving.http.problems import Problem, problem_response
from hilum.serving.http.settings import Settings
from hilum.serving.http.uploads import linger

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class Guard:
    """An ASGI layer around the application.

    Args:
        app: what it guards.
        settings: token and address.
        metrics: told of each answer.
        is_open: whether a path needs no token: the page, and what watches the server.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics, is_open: Callable[[str], bool]) -> None:
        self.app, self.settings, self.metrics, self.is_open = app, settings, metrics, is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.monotonic(), 500
        state = scope.setdefault("state", {})

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        problem = self._objection(scope)
        try:
            if problem is None:
                await self.app(scope, receive, send_guarded)
            else:
                await linger(receive)
                await problem_response(problem)(scope, receive, send_guarded)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.add(route=route, status=str(status))
            self.metrics.seconds.observe(time.monotonic() - began, route=route)
            if state.get("accepted"):
                self.metrics.answered.add()

    def _objection(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        if self.settings.is_loopback and not self.settings.token and _name(headers.get("host", "")) not in LOCAL_NAMES:
            # A page of somebody else whose name was pointed at this machine.
            return Problem(421, "host", "This server answers to localhost only.", close=True)
        if _is_foreign(headers):
            return Problem(403, "origin", "Pages of other sites may not ask here.", close=True)
        if self.settings.token and not self.is_open(scope["path"]) and not self._knows(headers):
            challenge = {"www-authenticate": 'Bearer realm="hilum"'}
            return Problem(401, "token", "Send Authorization: Bearer TOKEN.", headers=challenge, close=True)
        return None

    def _knows(self, headers: Headers) -> bool:
        kind, _, shown = headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(shown.strip().encode("utf-8", "replace"), self.settings.token.encode())
        return same and kind.lower() == "bearer"


def _name(host: str) -> str:
    """The name in a Host header, without port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_foreign(headers: Headers) -> bool:
    """Whether a browser asks on behalf of another site's page."""
    if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")
