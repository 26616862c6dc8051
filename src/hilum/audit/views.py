"""What a probe sees of the pictures: small pictures, parts of them, fine grain, grey levels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

SIDE = 28
"""Side of the small pictures that probes see."""

FRAME = 4
"""Width of the outer border, of `SIDE` small pixels."""

GRAIN_SIDE = 14
"""Cells a side in which the strength of fine detail is taken."""

GRAIN_SIGMA = 0.008
"""Detail finer than this is grain: standard deviation of the blur that is taken away, in sides of the canvas."""

PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
CHUNK = 256


class Canvases(Protocol):
    """uint8 `[N, S, S]` that can be had piece by piece: an array, a memory map, a `CanvasView`."""

    def __len__(self) -> int: ...

    def __getitem__(self, positions: slice) -> np.ndarray: ...


@dataclass(frozen=True)
class Views:
    """Everything that the probes see, from one pass over the canvases.

    Args:
        small: float32 `[N, SIDE * SIDE]` in [0, 255], each pixel the mean of the area that it stands for.
        grain: float32 `[N, GRAIN_SIDE * GRAIN_SIDE]`, logarithm of the strength of fine detail in each cell.
        tones: float32 `[N, T]`, mean, standard deviation, percentiles and shares of black and white of the grey levels.
    """

    small: np.ndarray
    grain: np.ndarray
    tones: np.ndarray

    def of(self, rows: np.ndarray) -> Views:
        """The same of some images."""
        return Views(self.small[rows], self.grain[rows], self.tones[rows])


def take_views(canvases: Canvases, on_progress: Callable[[int, int], None] | None = None) -> Views:
    """Makes the views, a chunk of canvases at a time.

    Args:
        on_progress: called with how many images are done, and of how many.
    """
    count = len(canvases)
    small = np.empty((count, SIDE * SIDE), np.float32)
    grain = np.empty((count, GRAIN_SIDE * GRAIN_SIDE), np.float32)
    tones = np.empty((count, len(PERCENTILES) + 4), np.float32)
    for start, chunk in _chunks(canvases):
        rows = slice(start, start + len(chunk))
        small[rows] = [_reduced(canvas).ravel() for canvas in chunk]
        grain[rows] = [_grain(canvas).ravel() for canvas in chunk]
        tones[rows] = [_tones(canvas) for canvas in chunk]
        if on_progress:
            on_progress(rows.stop, count)
    return Views(small, grain, tones)


def border_mask() -> np.ndarray:
    """bool `[SIDE, SIDE]`: the outermost `FRAME` pixels on each side."""
    mask = np.ones((SIDE, SIDE), bool)
    mask[FRAME:-FRAME, FRAME:-FRAME] = False
    return mask


def corners_mask() -> np.ndarray:
    """bool `[SIDE, SIDE]`: all but a circle as wide as the picture."""
    rows, columns = (np.indices((SIDE, SIDE)) + 0.5) / SIDE - 0.5
    return rows**2 + columns**2 > 0.25


def outside_lungs_mask() -> np.ndarray:
    """bool `[SIDE, SIDE]`: all but two rounded boxes where lungs lie on a frontal chest X-ray.

    One mask for all pictures: a mask fitted to each picture would itself tell how large and how dark its lungs are. The
    price is that lungs which lie elsewhere are not wholly covered; how much is measured in
    `docs/decisions/0006-when-a-shortcut-is-an-alarm.md`.
    """
    rows, columns = (np.indices((SIDE, SIDE)) + 0.5) / SIDE
    inside = np.zeros((SIDE, SIDE), bool)
    for middle in LUNG_COLUMNS:
        sideways, upwards = (columns - middle) / LUNG_HALF_WIDTH, (rows - LUNG_ROW) / LUNG_HALF_HEIGHT
        inside |= sideways**4 + upwards**4 <= 1
    return ~inside


LUNG_COLUMNS, LUNG_ROW, LUNG_HALF_WIDTH, LUNG_HALF_HEIGHT = (0.27, 0.73), 0.46, 0.21, 0.43
"""Middle and half sides of the two boxes, in sides of the picture."""


def _chunks(canvases: Canvases) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(canvases), CHUNK):
        yield start, np.asarray(canvases[start : start + CHUNK])


def _reduced(canvas: np.ndarray) -> np.ndarray:
    import cv2

    # In float: rounding to whole grey levels first would throw away what a border of a few pixels says.
    return cv2.resize(canvas.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _grain(canvas: np.ndarray) -> np.ndarray:
    """float32 `[GRAIN_SIDE, GRAIN_SIDE]`: log of 1 + the mean square of what a slight blur takes away."""
    import cv2

    picture = canvas.astype(np.float32)
    detail = picture - cv2.GaussianBlur(picture, (0, 0), max(GRAIN_SIGMA * len(canvas), 0.8))
    cells = cv2.resize(detail * detail, (GRAIN_SIDE, GRAIN_SIDE), interpolation=cv2.INTER_AREA)
    return np.log1p(cells)


def _tones(canvas: np.ndarray) -> np.ndarray:
    """Mean, standard deviation, percentiles, share of black, share of white."""
    counts = np.bincount(canvas.ravel(), minlength=256)
    shares, levels = counts / counts.sum(), np.arange(256)
    mean = float(shares @ levels)
    spread = float(np.sqrt(shares @ (levels - mean) ** 2))
    percentiles = np.searchsorted(np.cumsum(shares), np.array(PERCENTILES) / 100 - 1e-12)
    return np.array([mean, spread, *percentiles, shares[0], shares[-1]], np.float32)
