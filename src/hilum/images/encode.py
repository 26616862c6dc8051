"""Pictures as bytes, for thumbnails and pages."""

from __future__ import annotations

import numpy as np

from hilum.errors import UsageError


def to_png(pixels: np.ndarray) -> bytes:
    """Encodes losslessly.

    Args:
        pixels: `[H, W]` grey or `[H, W, 3]` RGB, uint8 or uint16.
    """
    return _encoded(".png", pixels, [])


def to_jpeg(pixels: np.ndarray, quality: int = 85) -> bytes:
    """Encodes as baseline JPEG.

    Args:
        pixels: `[H, W]` grey or `[H, W, 3]` RGB, uint8 or uint16 (of which the upper 8 bits are kept).
        quality: 1 to 100.
    """
    import cv2

    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    return _encoded(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])


def _encoded(suffix: str, pixels: np.ndarray, options: list[int]) -> bytes:
    import cv2

    is_picture = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if not is_picture or pixels.size == 0 or pixels.dtype not in (np.uint8, np.uint16):
        found = f"{pixels.dtype} of shape {pixels.shape}"
        raise UsageError("picture to encode", expected="[H, W] or [H, W, 3], uint8 or uint16", found=found)
    bgr = pixels if pixels.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
    _done, buffer = cv2.imencode(suffix, np.ascontiguousarray(bgr), options)
    return buffer.tobytes()
