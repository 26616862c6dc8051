"""JPEG: decoded grey, at reduced scale where that is enough, by libjpeg-turbo (which releases the GIL)."""

from __future__ import annotations

import cv2
import numpy as np
import simplejpeg

from hilum.images.codes import rejection
from hilum.images.colour import check_colour, to_grey
from hilum.images.image import Acquisition, Image
from hilum.images.jpeg_header import JpegHeader, has_all_scans, read_jpeg_header
from hilum.images.orientation import is_transposed, upright
from hilum.images.request import Request

_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_SCALES = (8, 4, 2, 1)
_INK_COST = 24
"""Bytes that are held for each pixel while four inks become grey; measured."""
_MOST_WORK = 1_280_000_000
"""Pixels times scans: 20 scans, twice what encoders make, of the largest picture; each scan goes over all of it."""
_MOST_COLOUR = 4_000_000
"""Pixels up to which a picture is decoded in colour: three times the memory of a grey one."""


def decode_jpeg(data: bytes, request: Request) -> Image:
    """One JPEG file -> one grey image.

    Its shorter side is at least `request.shorter_side`, or the stored one where that is smaller.

    Raises:
        ImageRejected: see `codes.REJECTIONS`; other exceptions for bytes that libjpeg cannot decode at all.
    """
    header = read_jpeg_header(data, request.name)
    request.check_size(header.height, header.width)
    _check_kind(data, header, request)
    pixels = _grey_in_colour(data, header, request)
    if pixels is not None:
        return Image(upright(pixels, header.orientation), _acquisition(data, header))
    pixels, warnings = _decoded(data, header, request)
    if header.components == 3:
        warnings += check_colour(_at_scale(data, header, "RGB", 8, strict=False), request.name)
    return Image(upright(pixels, header.orientation), _acquisition(data, header), tuple(warnings))


def _check_kind(data: bytes, header: JpegHeader, request: Request) -> None:
    if header.bits != 8 or header.components not in _MODES:
        found = f"a JPEG with {header.components} components of {header.bits} bits"
        raise rejection("unsupported", request.name, found)
    if request.frame:
        raise rejection("no-such-frame", request.name, f"frame {request.frame} of 1")
    if header.components == 4:
        request.limits.check_memory(header.height * header.width * _INK_COST, request.name)
    scans = data.count(b"\xff\xda") if header.multiscan else 1
    if scans > request.limits.jpeg_scans or scans * header.height * header.width > _MOST_WORK:
        raise rejection("corrupt", request.name, "too many scans")
    if header.progressive and not has_all_scans(data):
        raise rejection("truncated", request.name, "a progressive JPEG without its last scans")


def _grey_in_colour(data: bytes, header: JpegHeader, request: Request) -> np.ndarray | None:
    """The grey pixels of a sound colour JPEG whose channels are equal, else None.

    Most X-rays that are stored in colour are of this kind. Brightness and colour come from one decode here, which saves
    a third of the time, and the bytes are those of a grey decode.
    """
    scale = _scale(min(header.height, header.width), request.shorter_side)
    if header.components != 3 or header.height * header.width > _MOST_COLOUR * scale * scale:
        return None
    try:
        # The quick upsampling of the colours changes nothing where there are none.
        red, green, blue = cv2.split(_at_scale(data, header, "RGB", scale, strict=True, fastupsample=True))
    except ValueError:
        return None
    differ = cv2.norm(red, green, cv2.NORM_INF) or cv2.norm(red, blue, cv2.NORM_INF)
    return None if differ else red


def _decoded(data: bytes, header: JpegHeader, request: Request) -> tuple[np.ndarray, list[str]]:
    """The grey pixels; a strict decode first, and what it complains of looked into."""
    scale = _scale(min(header.height, header.width), request.shorter_side)
    try:
        return _grey(data, header, scale, request.name), []
    except ValueError as error:
        complaint = str(error)
    pixels = _grey(data, header, 1, request.name, strict=False)
    if _is_unfinished(pixels) or (header.progressive and "premature" in complaint.lower()):
        raise rejection("truncated", request.name, "a JPEG that ends before its picture")
    return pixels, ["damaged"]


def _is_unfinished(pixels: np.ndarray) -> bool:
    """Whether the last block was never decoded: libjpeg leaves it at exactly 128 when the data run out.

    A forged end marker cannot hide this. Files that merely lack the end marker, or whose last bits were cut off by the
    encoder, are complete and stay.
    """
    height, width = pixels.shape
    return bool((pixels[(height - 1) // 8 * 8 :, (width - 1) // 8 * 8 :] == 128).all())


def _scale(stored: int, wanted: int | None) -> int:
    """The largest reduction that leaves the shorter side at least as long as wanted."""
    return next(scale for scale in _SCALES if scale == 1 or (wanted and -(-stored // scale) >= wanted))


def _grey(data: bytes, header: JpegHeader, scale: int, name: str, *, strict: bool = True) -> np.ndarray:
    if header.components != 4:
        return _at_scale(data, header, "GRAY", scale, strict=strict)[..., 0]
    ink = _at_scale(data, header, "CMYK", scale, strict=strict).astype(np.uint16)
    light = ink if header.inverted else 255 - ink
    rgb = (light[..., :3] * light[..., 3:] // 255).astype(np.uint8)
    check_colour(rgb, name)
    return to_grey(rgb)


def _at_scale(
    data: bytes, header: JpegHeader, colorspace: str, scale: int, *, strict: bool, fastupsample: bool = False
) -> np.ndarray:
    """Decodes at 1/scale, computed in the inverse DCT.

    Returns:
        `[ceil(height / scale), ceil(width / scale), channels]`, uint8.

    Raises:
        ValueError: the data cannot be decoded; when strict, also for anything that libjpeg warns of.
    """
    return simplejpeg.decode_jpeg(
        data,
        colorspace,
        min_height=-(-header.height // scale),
        min_width=-(-header.width // scale),
        min_factor=scale,
        fastupsample=fastupsample,
        strict=strict,
    )


def _acquisition(data: bytes, header: JpegHeader) -> Acquisition:
    height, width = header.height, header.width
    if is_transposed(header.orientation):
        height, width = width, height
    return Acquisition(
        format="JPEG",
        height=height,
        width=width,
        mode=_MODES[header.components],
        bits=header.bits,
        file_bytes=len(data),
        quantisation=header.quantisation,
        quantisation_colour=header.quantisation_colour,
        subsampling=header.subsampling,
        progressive=header.progressive,
        metadata=header.metadata,
        orientation=header.orientation,
    )
