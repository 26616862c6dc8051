"""Is a colour picture grey in truth? A measured rule, and the grey picture.

The picture is looked at in blocks (8 x 8 pixels of a JPEG, at most 128 blocks a side).

* **grey**: at most 0.05 % of the blocks have channels more than 12 levels apart. Silent. Kermany's 5,855 RGB files are
  all at exactly 0 levels; chroma noise of 6 levels a pixel stays at 5.
* **tinted**: more than that. Warning `colour-discarded`; the brightness is kept. Film bases, sepia scans, coloured
  markers, arrows, boxes and banners.
* **colour**: more than a quarter of the blocks have a hue that neither their brightness nor their place explains, that
  is, they lie more than 8 levels (in the Cb, Cr plane) from the best smooth fit. Rejected `colour`.

A tint is a function of brightness (toning, film base) and changes slowly over the picture (lamp, camera); the hues of
a photograph are neither. Measured shares of unexplained blocks: bone colour map, blue film, a cast from red
to blue 0 %, sepia 3 %; sepia with coloured boxes 10 %, a coloured banner 13 %; scikit-learn's two sample photographs 30
and 53 %, a portrait 64 %, a Grad-CAM overlay 65 %, a jet colour map 92 %.
"""

from __future__ import annotations

import cv2
import numpy as np

from hilum.images.codes import rejection

_LEVELS_APART = 12
_STRAY_BLOCKS = 0.0005
_HUE_APART = 8.0
_UNEXPLAINED_BLOCKS = 0.25
_BLOCKS_A_SIDE = 128


def check_colour(rgb: np.ndarray, name: str) -> list[str]:
    """Warnings about the colour of a picture.

    Args:
        rgb: `[H, W, 3]`, uint8 or uint16; for a JPEG a reduced decode is enough.
        name: the file, for the message.

    Returns:
        `["colour-discarded"]` or nothing.

    Raises:
        ImageRejected: `colour`.
    """
    blocks = _blocks(rgb)
    if _has_equal_channels(blocks):
        return []
    if coloured_share(blocks) <= _STRAY_BLOCKS:
        return []
    share = unexplained_share(blocks)
    if share > _UNEXPLAINED_BLOCKS:
        raise rejection("colour", name, f"hues of their own in {share:.0%} of the picture")
    return ["colour-discarded"]


def to_grey(rgb: np.ndarray) -> np.ndarray:
    """Brightness by Rec. 601, which is the luminance channel of a JPEG; equal channels keep their exact value."""
    return cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)


def _has_equal_channels(blocks: np.ndarray) -> bool:
    """The common case, decided on bytes because array functions hand the interpreter lock to another thread."""
    red = blocks[..., 0].tobytes()
    return red == blocks[..., 1].tobytes() and red == blocks[..., 2].tobytes()


def coloured_share(blocks: np.ndarray) -> float:
    """The share of blocks `[H, W, 3]` (uint8) whose channels are clearly apart."""
    red, green, blue = cv2.split(blocks)
    brightest, darkest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    return float(np.count_nonzero(cv2.subtract(brightest, darkest) > _LEVELS_APART) / red.size)


def unexplained_share(blocks: np.ndarray) -> float:
    """The share of blocks `[H, W, 3]` (uint8) whose hue is not a smooth function of brightness and place."""
    rgb = blocks.reshape(-1, 3).astype(np.float64)
    luma = rgb @ (0.299, 0.587, 0.114)
    hue = np.stack([0.564 * (rgb[:, 2] - luma), 0.713 * (rgb[:, 0] - luma)], axis=1)
    causes = _causes(luma, *blocks.shape[:2])
    kept = np.ones(len(hue), dtype=bool)
    for _ in range(3):  # arrows and boxes must not pull the fit towards themselves
        fit = np.linalg.lstsq(causes[kept], hue[kept], rcond=None)[0]
        distance = np.hypot(*(hue - causes @ fit).T)
        kept = distance <= np.quantile(distance, 0.75)
    return float(np.mean(distance > _HUE_APART))


def _causes(luma: np.ndarray, height: int, width: int) -> np.ndarray:
    """The columns of the fit: brightness to the third power, place to the first."""
    level = luma / 127.5 - 1
    down, across = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones_like(level), level, level**2, level**3, down.ravel(), across.ravel()], axis=1)


def _blocks(rgb: np.ndarray) -> np.ndarray:
    """The picture in 8 bits, averaged down to at most 128 blocks a side."""
    height, width = rgb.shape[:2]
    if max(height, width) > _BLOCKS_A_SIDE:
        size = (min(width, _BLOCKS_A_SIDE), min(height, _BLOCKS_A_SIDE))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return (rgb >> 8).astype(np.uint8) if rgb.dtype == np.uint16 else rgb
