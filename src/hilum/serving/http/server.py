"""Runs the application until it is told to stop; then answers what it has taken in."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from hilum.errors import UsageError
from hilum.serving.http.connection import bounded_protocol
from hilum.serving.http.served import Room

BACKLOG = 2048
SPARE_FILES = 256
"""Open files beside connections."""
GRACE = 60.0
"""Seconds beyond the deadline of a body that answers may take after the signal to stop."""


def run_server(app: ASGIApp, room: Room, on_ready: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT, then drains.

    No new connection is taken; requests whose headers have arrived are read and answered; then the process goes on.

    Args:
        on_ready: told of the address when connections are taken.

    Raises:
        UsageError: an address that cannot be listened on.
    """
    settings = room.settings
    listening = _listen(settings.host, settings.port)
    _allow_files(settings.connections + SPARE_FILES)
    config = uvicorn.Config(
        app,
        http=bounded_protocol(settings),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=int(settings.idle_seconds),
        timeout_graceful_shutdown=int(settings.body_seconds + GRACE),
    )
    server = _Server(config, room, lambda: on_ready(_address(listening)))
    with _quiet_signals():
        server.run(sockets=[listening])


class _Server(uvicorn.Server):
    """uvicorn's, which says when it is there and when it goes."""

    def __init__(self, config: uvicorn.Config, room: Room, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.room, self.on_ready = room, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.sleep(0)  # connections whose bytes are here already become requests first
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.room.admission.is_draining = True
        super().handle_exit(sig, frame)


@contextlib.contextmanager
def _quiet_signals():
    """uvicorn raises the signals that it got once more when it has ended; they are done with by then."""
    known = {each: signal.signal(each, _ignore) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in known.items():
            signal.signal(each, handler)


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    pass


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        found = error.strerror or str(error)
        way_out = "Choose another --port." if isinstance(host, str) else ""
        raise UsageError(f"{host}:{port}", expected="a free address", found=found, way_out=way_out) from None
    return listening


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _allow_files(count: int) -> None:
    """Raises the limit of open files, where the system has one and lets us."""
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
