"""Heat maps as pictures: laid over the X-ray that they are of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilum.transforms.preprocessing import Preprocessing, to_uint8

STRONGEST = 0.6
"""Share of the colour where the map is at its maximum; where the map is 0 the X-ray is as it was."""

LONGEST = 1024
"""Longer side of an overlay, pixels."""

COLOURS = ((0.0, (255, 80, 0)), (0.5, (255, 150, 0)), (1.0, (255, 235, 90)))
"""Heat -> red, green, blue: one run of colours from orange to yellow, told from the grey of an X-ray by everyone."""

CONTOUR = (86, 180, 233)


@dataclass(frozen=True)
class Placement:
    """Where a picture lies on its canvas, and which part of it the network sees.

    Args:
        canvas: top, bottom, left, right on the canvas, pixels of it.
        picture: the same part on the picture, pixels of it.
    """

    canvas: tuple[int, int, int, int]
    picture: tuple[int, int, int, int]


def place_of(height: int, width: int, preprocessing: Preprocessing) -> Placement:
    """How `to_canvas` puts a picture of this size on its square."""
    side = preprocessing.image_size
    if preprocessing.fit == "crop":
        short = min(height, width)
        top, left = (height - short) // 2, (width - short) // 2
        return Placement((0, side, 0, side), (top, top + short, left, left + short))
    if preprocessing.fit == "stretch":
        return Placement((0, side, 0, side), (0, height, 0, width))
    scale = side / max(height, width)
    down, across = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (side - down) // 2, (side - across) // 2
    return Placement((top, top + down, left, left + across), (0, height, 0, width))


def enlarge(maps: np.ndarray, side: int) -> np.ndarray:
    """Maps float `[N, h, w]` over the whole canvas, each scaled to a maximum of 1: float32 `[N, side, side]`.

    A map that is 0 everywhere stays so: nothing speaks for its class.
    """
    import cv2

    large = [cv2.resize(each.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR) for each in maps]
    stacked = np.stack(large) if large else np.empty((0, side, side), np.float32)
    top = stacked.max(axis=(1, 2), keepdims=True) if large else np.ones((0, 1, 1), np.float32)
    return np.divide(stacked, top, out=np.zeros_like(stacked), where=top > 0)


def onto_picture(heat: np.ndarray, preprocessing: Preprocessing, height: int, width: int) -> np.ndarray:
    """A map over the canvas `[S, S]` -> over the picture `[height, width]`, 0 where the network saw nothing of it."""
    import cv2

    where = place_of(height, width, preprocessing)
    top, bottom, left, right = where.canvas
    seen = np.ascontiguousarray(heat[top:bottom, left:right], np.float32)
    top, bottom, left, right = where.picture
    found = np.zeros((height, width), np.float32)
    found[top:bottom, left:right] = cv2.resize(seen, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    return found


def draw_overlay(picture: np.ndarray, heat: np.ndarray, *, contour: bool = True) -> np.ndarray:
    """An X-ray with its heat map.

    Args:
        picture: grey `[H, W]`, uint8 or uint16.
        heat: float `[H, W]` in [0, 1].
        contour: a thin line where the map is at half its maximum.

    Returns:
        RGB uint8 `[H, W, 3]`.
    """
    import cv2

    grey = np.repeat(to_uint8(picture)[..., None], 3, axis=2).astype(np.float32)
    at = [place for place, _ in COLOURS]
    colour = np.stack([np.interp(heat, at, [each[i] for _, each in COLOURS]) for i in range(3)], axis=-1)
    share = STRONGEST * np.clip(heat, 0, 1)[..., None] ** 1.5
    mixed = np.rint(grey + share * (colour - grey)).clip(0, 255).astype(np.uint8)
    if contour and heat.max() > 0:
        outlines, _ = cv2.findContours((heat >= 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(mixed, outlines, -1, CONTOUR, max(1, round(max(heat.shape) / 300)), cv2.LINE_AA)
    return mixed


def reduced(picture: np.ndarray, longest: int = LONGEST) -> np.ndarray:
    """A grey picture with its longer side at most `longest` pixels, uint8."""
    import cv2

    grey = to_uint8(picture)
    scale = longest / max(grey.shape)
    if scale >= 1:
        return grey
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
