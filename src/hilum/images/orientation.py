"""EXIF orientation: read from the header, applied to the pixels."""

from __future__ import annotations

import struct

import numpy as np

_ORIENTATION_TAG = 0x0112
UPRIGHT = 1


def exif_orientation(exif: bytes) -> int:
    """The orientation in a block of EXIF data.

    Args:
        exif: a TIFF structure, with or without the prefix `Exif 0 0`.

    Returns:
        1 to 8; 1 where the block says nothing or is broken.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _type, _count, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if tag == _ORIENTATION_TAG:
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT


def is_transposed(orientation: int) -> bool:
    """Whether turning the picture upright swaps its height and width."""
    return orientation >= 5


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turns and mirrors a picture as its EXIF orientation asks (EXIF 2.32, tag 274).

    Args:
        pixels: `[H, W]`.
        orientation: 1 to 8.

    Returns:
        `[H, W]`, or `[W, H]` for 5 to 8, contiguous.
    """
    if is_transposed(orientation):
        pixels = pixels.T
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
