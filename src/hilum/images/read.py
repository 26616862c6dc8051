"""`read_image`, the only decoder in the project."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from hilum.images.boundary import NeedsSandbox, typed_errors
from hilum.images.codes import rejection
from hilum.images.image import Image
from hilum.images.limits import Limits
from hilum.images.request import Request
from hilum.images.sniff import PICTURES, READABLE, sniff
from hilum.images.source import bytes_of, name_of
from hilum.images.tones import is_blank

_DEFAULT_LIMITS = Limits()


def read_image(
    source: Path | bytes,
    *,
    shorter_side: int | None = None,
    frame: int | None = None,
    limits: Limits = _DEFAULT_LIMITS,
    name: str = "",
) -> Image:
    """Reads any supported file as one grey picture, lungs dark, with what its header says.

    The content decides what a file is, not its name. The bytes are read once. Safe to call from many threads; the
    decoding itself runs without the interpreter lock. DICOM files with lossless or 12-bit JPEG are decoded in a
    process of their own, because the one codec that knows these aborts on damaged data. For files from strangers see
    `Sandbox`.

    Args:
        source: a file, or its bytes.
        shorter_side: the picture may come back reduced (JPEG: 1/2, 1/4 or 1/8) while its shorter side stays at least
            this, pixels; `acquisition.height` and `width` are always the stored ones.
        frame: which frame or page of a file that has several, counted from 0.
        limits: what a single file may ask for.
        name: what messages call the file; by default its path.

    Returns:
        Pixels uint8, or uint16 where the file has more than 8 bits, with warning codes of `codes.WARNINGS`.

    Raises:
        ImageRejected: with a code of `codes.REJECTIONS`, and nothing else whatever the file holds.
    """
    name = name_of(source, name)
    with typed_errors(name):
        data = bytes_of(source, limits, name)
    try:
        return decode(data, Request(name, shorter_side, frame, limits))
    except NeedsSandbox:
        from hilum.images.sandbox import shared_sandbox

        return shared_sandbox().read(data, shorter_side=shorter_side, frame=frame, limits=limits, name=name)


def decode(data: bytes, request: Request) -> Image:
    """`read_image` for bytes of an allowed length, in this process.

    Raises:
        ImageRejected: as there.
        NeedsSandbox: only a codec that may abort knows the kind, and the request does not allow that.
    """
    with typed_errors(request.name):
        image = _decode_as(sniff(data), data, request)
        warnings = (*image.warnings, "blank") if is_blank(image.pixels) else image.warnings
        return Image(image.pixels, image.acquisition, warnings, hashlib.sha256(data).hexdigest())


def _decode_as(kind: str, data: bytes, request: Request) -> Image:
    if kind not in READABLE:
        raise rejection("unsupported" if kind in PICTURES else "not-an-image", request.name, kind)
    return _decoder(kind)(data, request)


@cache
def _decoder(kind: str) -> Callable[[bytes, Request], Image]:
    """The decoder of a kind; its libraries are imported when the first file of the kind is met."""
    if kind == "JPEG":
        from hilum.images.jpeg import decode_jpeg

        return decode_jpeg
    if kind == "DICOM":
        from hilum.images.dicom import decode_dicom

        return decode_dicom
    from hilum.images.raster import decode_raster

    return partial(decode_raster, kind)
