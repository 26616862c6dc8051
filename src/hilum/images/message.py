"""What goes through the pipes between a sandbox and its child: a JSON head and raw bytes.

Nothing is pickled: whoever took over the child by a hostile file could otherwise make the parent run what it likes.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, fields
from typing import Any, BinaryIO

import numpy as np

from hilum.errors import ImageRejected
from hilum.images.codes import REJECTIONS, WARNINGS, rejection
from hilum.images.image import Acquisition, Image

_SIZES = struct.Struct("<II")
_LARGEST_HEAD = 65536
_LONGEST_TEXT = 200
_DTYPES = {"uint8": np.uint8, "uint16": np.uint16}


def write_message(stream: BinaryIO, head: dict[str, Any], body: bytes | memoryview = b"") -> None:
    """Writes one message; `body` is at most 4 GB."""
    words = json.dumps(head).encode()
    stream.write(_SIZES.pack(len(words), len(body)) + words)
    stream.write(body)
    stream.flush()


def read_message(stream: BinaryIO, largest_body: int) -> tuple[dict[str, Any], bytes]:
    """Reads one message.

    Raises:
        EOFError: the other side has gone, before or within a message.
        ValueError: a message that is larger than it may be, or no message at all.
    """
    head_bytes, body_bytes = _SIZES.unpack(_exactly(stream, _SIZES.size))
    if head_bytes > _LARGEST_HEAD or body_bytes > largest_body:
        raise ValueError("a message that is too large")
    head = json.loads(_exactly(stream, head_bytes))
    if not isinstance(head, dict):
        raise ValueError("a message without a head")
    return head, _exactly(stream, body_bytes)


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def image_message(image: Image) -> tuple[dict[str, Any], memoryview]:
    """Head and body of a picture."""
    head = {
        "dtype": image.pixels.dtype.name,
        "shape": image.pixels.shape,
        "acquisition": asdict(image.acquisition),
        "warnings": image.warnings,
        "sha256": image.sha256,
    }
    return head, np.ascontiguousarray(image.pixels).data.cast("B")


def rejected_message(error: ImageRejected) -> dict[str, Any]:
    """Head of a rejection; the parent puts the words of the table around it."""
    return {"code": error.code, "found": error.found[:_LONGEST_TEXT]}


def image_of(head: dict[str, Any], body: bytes, name: str) -> Image:
    """The picture in a message; every part of it is checked.

    Raises:
        ImageRejected: the rejection in the message.
        ValueError, KeyError, TypeError: a message that no honest child writes.
    """
    if "code" in head:
        if head["code"] not in REJECTIONS:
            raise ValueError("an unknown code")
        raise rejection(head["code"], name, _text(head["found"]))
    height, width = (_whole(side) for side in head["shape"])
    pixels = np.frombuffer(bytearray(body), dtype=_DTYPES[head["dtype"]]).reshape(height, width)
    warnings = tuple(head["warnings"])
    if not set(warnings) <= set(WARNINGS):
        raise ValueError("an unknown warning")
    return Image(pixels, _acquisition(head["acquisition"]), warnings, _text(head["sha256"]))


def _acquisition(facts: dict[str, Any]) -> Acquisition:
    known = {field.name for field in fields(Acquisition)}
    return Acquisition(**{key: _fact(value) for key, value in facts.items() if key in known})


def _fact(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return tuple(_text(part) for part in value) if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise ValueError("a text that is none")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError("a size that is none")
    return value
