"""Drawings as the bytes of JPEG and PNG files, near duplicates, and files that are damaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from hilum.data.phantom.drawing import Drawing, box_of
from hilum.errors import UsageError

NO_IMAGE = b"This is a line of text, not an X-ray.\n"


def encode_jpeg(pixels: np.ndarray, quality: int) -> bytes:
    """A grey JPEG of uint8 `[H, W]`, quality 1 to 100."""
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def encode_png(pixels: np.ndarray) -> bytes:
    """A grey PNG of uint8 `[H, W]`."""
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def through_jpeg(drawing: Drawing, quality: int) -> Drawing:
    """What is left of a drawing after it was stored as JPEG."""
    decoded = np.asarray(Image.open(BytesIO(encode_jpeg(drawing.pixels, quality))), np.float32)
    return replace(drawing, intensity=decoded / np.float32(255))


def change_slightly(drawing: Drawing, change: str, generator: np.random.Generator) -> Drawing:
    """A near duplicate with its truth.

    Args:
        change: `resize` to 80 to 95 % of the sides, `crop` by 2 to 4 % a side, `flip` left to right, `brightness` by
            4 to 8 % of the range, or `re-encode` as JPEG at quality 35 to 50.

    Raises:
        UsageError: an unknown change.
    """
    height, width = drawing.intensity.shape
    if change == "re-encode":
        return through_jpeg(drawing, int(generator.integers(35, 51)))
    if change == "brightness":
        offset = np.float32(generator.choice([-1, 1]) * generator.uniform(0.04, 0.08))
        return replace(drawing, intensity=np.clip(drawing.intensity + offset, 0, 1))
    if change == "flip":
        return _with_truth(drawing, lambda layer: np.ascontiguousarray(layer[:, ::-1]))
    if change == "crop":
        top, bottom = np.rint(generator.uniform(0.02, 0.04, 2) * height).astype(int)
        left, right = np.rint(generator.uniform(0.02, 0.04, 2) * width).astype(int)
        return _with_truth(drawing, lambda layer: layer[top : height - bottom, left : width - right].copy())
    if change == "resize":
        size = tuple(round(side * generator.uniform(0.8, 0.95)) for side in (width, height))
        return _with_truth(drawing, lambda layer: _resized(layer, size))
    raise UsageError(f"change {change!r}", expected="resize, crop, flip, brightness or re-encode")


def _resized(layer: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    if layer.dtype == bool:
        return cv2.resize(layer.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    return cv2.resize(layer, size, interpolation=cv2.INTER_AREA)


def _with_truth(drawing: Drawing, change: Callable[[np.ndarray], np.ndarray]) -> Drawing:
    lesion = change(drawing.lesion_mask)
    lung = change(drawing.lung_mask)
    return Drawing(change(drawing.intensity), lung, lesion, replace(drawing.facts, lesion_box=box_of(lesion)))


def damage_bytes(content: bytes, damage: str, generator: np.random.Generator) -> bytes:
    """What a damaged file holds: `truncated` after 10 to 60 % of its bytes, `text`, `empty`; "" leaves it whole."""
    if damage == "truncated":
        return content[: int(len(content) * generator.uniform(0.1, 0.6))]
    return {"": content, "text": NO_IMAGE, "empty": b""}[damage]
