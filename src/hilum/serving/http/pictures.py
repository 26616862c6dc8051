"""Pictures in answers: PNG in base64, with all their bits."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from hilum.images.encode import to_png
from hilum.serving.explanation import LONGEST


def picture_json(pixels: np.ndarray, longest: int = LONGEST) -> dict[str, Any]:
    """A grey picture for the page.

    Args:
        pixels: `[H, W]`, uint8 or uint16.
        longest: pixels of the longer side at most.

    Returns:
        `png`, `bits`, `width`, `height`. Of 16 bits the upper eight are the red of the PNG and the lower eight its
        green: browsers read eight bits a channel.
    """
    shown = _reduced(pixels, longest)
    deep = shown.dtype == np.uint16
    stored = np.stack([shown >> 8, shown & 255, np.zeros_like(shown)], axis=-1).astype(np.uint8) if deep else shown
    height, width = shown.shape
    return {"png": _text(stored), "bits": 16 if deep else 8, "width": width, "height": height}


def heat_json(heat: np.ndarray) -> str:
    """A map float `[H, W]` in [0, 1] as a grey PNG, 255 where it is strongest."""
    return _text(np.rint(255 * np.clip(heat, 0, 1)).astype(np.uint8))


def _reduced(pixels: np.ndarray, longest: int) -> np.ndarray:
    import cv2

    scale = longest / max(pixels.shape)
    if scale >= 1:
        return pixels
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _text(pixels: np.ndarray) -> str:
    return base64.b64encode(to_png(pixels)).decode()
