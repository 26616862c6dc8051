"""From a path or bytes to bytes and a name, within the limits."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from hilum.images.codes import rejection
from hilum.images.limits import Limits

# Without O_NONBLOCK, opening a named pipe waits for ever; Windows has no such flag, and needs O_BINARY instead.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def name_of(source: Path | bytes, name: str) -> str:
    """What a message calls the source: `name`, or its path, with control characters spelled out."""
    words = name or (f"{len(source)} bytes in memory" if isinstance(source, bytes) else str(source))
    if words.isprintable():
        return words
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)


def bytes_of(source: Path | bytes, limits: Limits, name: str) -> bytes:
    """The content of the source.

    Raises:
        ImageRejected: `unreadable`, `empty` or `too-large`; a file that is too large is not read.
    """
    if isinstance(source, bytes):
        data = source
    else:
        try:
            data = _read(source, limits, name)
        except (OSError, ValueError) as error:  # ValueError: a null character in the path
            raise rejection("unreadable", name, getattr(error, "strerror", None) or "an impossible path") from None
    limits.check_bytes(len(data), name)
    return data


def _read(path: Path, limits: Limits, name: str) -> bytes:
    # Four system calls instead of the ten of Path.read_bytes: each hands the interpreter lock to another thread.
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise rejection("unreadable", name, "not a regular file")
        limits.check_bytes(status.st_size, name)
        parts, missing = list[bytes](), status.st_size
        while missing and (part := os.read(descriptor, missing)):
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
    finally:
        os.close(descriptor)


def open_regular(path: Path) -> BinaryIO:
    """Opens a file that is a file, for reading.

    Raises:
        ImageRejected: `unreadable` for a folder, a pipe or a device.
        OSError, ValueError: as `open` does.
    """
    descriptor = os.open(path, _FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise rejection("unreadable", name_of(path, ""), "not a regular file")
    return os.fdopen(descriptor, "rb")
