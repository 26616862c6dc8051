"""What the server allows itself and others."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass

from hilum.errors import UsageError
from hilum.images.limits import Limits

SHORTEST_TOKEN = 16
"""Characters; fewer could be guessed."""


@dataclass(frozen=True)
class Settings:
    """Bounds of the server.

    Args:
        host: address to listen on.
        port: 0 takes a free one.
        token: what clients must show as `Authorization: Bearer TOKEN`; may be empty on a loopback address only.
        max_bytes: of one request.
        max_images: of one request.
        memory_bytes: of all requests that are being received or answered.
        queue: images that wait or are worked on at a time; more are refused with 503.
        batch_size: images that go through the network together, at most.
        workers: processes that decode.
        connections: open at a time; beyond, those that have sent no whole request yet are closed, oldest first.
        head_seconds: for a request's line and headers, counted from the opening of the connection or its first byte.
        body_seconds: for a request's body.
        idle_seconds: between two requests of a connection.
        write_seconds: that an answer may lie unread.

    Raises:
        UsageError: no token where one is needed, a short one, or a number that leaves no room.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str = ""
    max_bytes: int = Limits.file_bytes
    max_images: int = 16
    memory_bytes: int = 512_000_000
    queue: int = 256
    batch_size: int = 32
    workers: int = min(4, os.cpu_count() or 1)
    connections: int = 2000
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 15.0
    write_seconds: float = 30.0

    def __post_init__(self) -> None:
        if not self.token and not self.is_loopback:
            raise UsageError(
                f"--host {self.host}",
                expected="a token for an address that others can reach",
                found="none",
                way_out="Put one into HILUM_TOKEN or a file (--token-file).",
            )
        if self.token and (len(self.token) < SHORTEST_TOKEN or not self.token.isascii()):
            raise UsageError("token", expected=f"{SHORTEST_TOKEN} ASCII characters or more", found=str(len(self.token)))
        for name in ("max_bytes", "max_images", "memory_bytes", "queue", "batch_size", "workers", "connections"):
            if getattr(self, name) < 1:
                raise UsageError(name, expected="1 or more", found=str(getattr(self, name)))
        if not 0 <= self.port <= 65535:
            raise UsageError("--port", expected="0 to 65535", found=str(self.port))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
