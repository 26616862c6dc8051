"""The picture of a Secondary Capture: the heat map over the X-ray, between two lines of text."""

from __future__ import annotations

import numpy as np

from hilum.inspection.cam.overlay import draw_overlay
from hilum.serving.dicom_out.model import NOTICE

SMALLEST = 512
"""Shorter side of the picture, pixels: below it the text could not be read."""
_BAND, _TEXT = 22, 40
"""One part of the picture's width that a line of text is high, and that a band around it adds."""


def burned_in(picture: np.ndarray, heat: np.ndarray, says: str) -> np.ndarray:
    """The overlay with a band above that says what it is, and one below with the answer; no anatomy is covered.

    Args:
        picture: grey `[H, W]`.
        heat: float `[H, W]` in [0, 1].
        says: the answer, a line.

    Returns:
        RGB uint8 `[H', W', 3]`; a small picture is enlarged.
    """
    grey, map_ = _enlarged(picture, heat)
    overlay = draw_overlay(grey, map_)
    width = overlay.shape[1]
    return np.concatenate([_band(NOTICE, width), overlay, _band(says, width)])


def _enlarged(picture: np.ndarray, heat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import cv2

    scale = SMALLEST / min(picture.shape)
    if scale <= 1:
        return picture, heat
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    larger = cv2.resize(heat.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), larger.clip(0, 1)


def _band(text: str, width: int) -> np.ndarray:
    """One line of white text on black, as large as the width allows."""
    from PIL import Image, ImageDraw, ImageFont

    size = max(10, width // _BAND)
    font = ImageFont.load_default(size)
    margin = width // _TEXT
    while size > 10 and font.getlength(text) > width - 2 * margin:
        size -= 1
        font = ImageFont.load_default(size)
    band = Image.new("RGB", (width, 2 * max(10, width // _BAND)))
    ImageDraw.Draw(band).text((margin, band.height // 2), text, fill="white", font=font, anchor="lm")
    return np.asarray(band)
