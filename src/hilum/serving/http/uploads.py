"""The images of a request, in memory only: counted while they arrive, never written to disk, names never kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.types import Receive

from hilum.images.sniff import sniff
from hilum.serving.http.problems import Problem, busy
from hilum.serving.http.settings import Settings

LINGER = 1.0
"""Seconds for which a refused body is still read, so that the client sees the answer and not a broken connection."""


class Memory:
    """Bytes of all requests that are here now.

    Args:
        most: more are refused with 503.
    """

    def __init__(self, most: int) -> None:
        self.most, self.used = most, 0

    @asynccontextmanager
    async def share(self) -> AsyncIterator[Share]:
        """What one request takes; given back at the end."""
        share = Share(self)
        try:
            yield share
        finally:
            self.used -= share.taken


class Share:
    """The part of the memory that belongs to one request."""

    def __init__(self, memory: Memory) -> None:
        self.memory, self.taken = memory, 0

    def take(self, count: int) -> None:
        """Raises Problem 503 when there is no more."""
        if self.memory.used + count > self.memory.most:
            raise busy("Too much is being sent at a time.", 5)
        self.memory.used += count
        self.taken += count


async def read_images(request: Request, settings: Settings, share: Share) -> list[bytes]:
    """The files of a `multipart/form-data` body, or the one file that the body is.

    Raises:
        Problem: 400 malformed, 408 too slow, 413 too large or too many, 415 an archive, 503 no memory left.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > settings.max_bytes:
        await linger(request.receive)
        raise _too_large(settings)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    form = _Form(options.get(b"boundary", b""), settings.max_images) if kind == b"multipart/form-data" else None
    plain = bytearray()
    received = 0
    try:
        async with asyncio.timeout(settings.body_seconds):
            async for chunk in request.stream():
                received += len(chunk)
                if received > settings.max_bytes:
                    raise _too_large(settings)
                share.take(len(chunk))
                if form is None:
                    plain += chunk
                else:
                    form.write(chunk)
    except TimeoutError:
        detail = f"The body did not arrive within {settings.body_seconds:.0f} s."
        raise Problem(408, "too-slow", detail, close=True) from None
    except Problem:
        if str(received) != declared:  # more may come
            await linger(request.receive)
        raise
    images = [bytes(plain)] if form is None else form.images()
    if not images or (form is None and not plain):
        raise Problem(400, "no-image", "The request has no image: send one as the body, or several as form files.")
    if any(sniff(image) == "ZIP" for image in images):
        detail = (
            "Archives are not taken apart here. Send the images in it, up to "
            f"{settings.max_images} a request, or run: hilum predict MODEL ARCHIVE.zip."
        )
        raise Problem(415, "archive", detail)
    return images


async def linger(receive: Receive) -> None:
    """Reads and forgets the rest of a body for a moment."""
    try:
        async with asyncio.timeout(LINGER):
            while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                pass
    except TimeoutError:
        pass


def _too_large(settings: Settings) -> Problem:
    detail = f"A request may have {settings.max_bytes / 1e6:.0f} MB at most."
    return Problem(413, "too-large", detail, close=True)


class _Form:
    """Collects the parts of a form; every part is an image, whatever it is called."""

    def __init__(self, boundary: bytes, most: int) -> None:
        if not boundary:
            raise Problem(400, "malformed", "multipart/form-data without a boundary.", close=True)
        self.parts: list[bytearray] = []
        self.most, self.is_whole = most, False
        self.parser = MultipartParser(
            boundary,
            {"on_part_begin": self._begin, "on_part_data": self._data, "on_end": self._end},
        )

    def write(self, chunk: bytes) -> None:
        try:
            self.parser.write(chunk)
        except FormParserError:
            raise self._malformed() from None

    def images(self) -> list[bytes]:
        """The files, in the order of the form."""
        if not self.is_whole:
            raise self._malformed()
        return [bytes(part) for part in self.parts]

    def _begin(self) -> None:
        if len(self.parts) >= self.most:
            raise Problem(413, "too-many", f"A request may have {self.most} images at most.", close=True)
        self.parts.append(bytearray())

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1] += data[start:end]

    def _end(self) -> None:
        self.is_whole = True

    @staticmethod
    def _malformed() -> Problem:
        return Problem(400, "malformed", "The form is not whole: a boundary is missing or wrong.", close=True)
