"""Bounds on a DICOM connection that pynetdicom leaves open: how long one message unit is, and how long it takes.

pynetdicom reads as many bytes as the first six of a unit announce, up to 4 GB, and gives a sender who drips new time
with each byte. Both are decided here, before memory is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

LONGEST_UNIT = 1_000_000
"""Bytes of one unit (PDU) at most: what we announce is 16,382, a request with all its contexts is some 150,000."""
_CHUNK = 65_536


def bound_line(line: Any, seconds: float, on_too_large: Callable[[], None]) -> None:
    """Makes a connection of pynetdicom read within these bounds.

    Args:
        line: `AssociationSocket`; reads beyond the bounds raise OSError in it, which closes the connection.
        seconds: that one unit may take from its first byte read here to its last.
        on_too_large: called before a unit that is too large is refused.
    """

    def read(count: int) -> bytearray:
        if count > LONGEST_UNIT:
            on_too_large()
            raise OSError("a unit larger than any that was agreed on")
        return _read(line.socket, count, time.monotonic() + seconds)

    line.recv = read


def _read(connection: Any, count: int, until: float) -> bytearray:
    """Some bytes, or fewer where the other end has closed; TimeoutError is an OSError."""
    found = bytearray()
    try:
        while len(found) < count:
            connection.settimeout(max(0.001, until - time.monotonic()))
            more = connection.recv(min(_CHUNK, count - len(found)))
            if not more:
                break
            found += more
    finally:
        connection.settimeout(None)
    return found
