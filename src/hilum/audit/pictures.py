"""What the parts of an audit look at: every picture once, small, and its histogram. Memory stays bounded: canvases are
read in blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hilum.data.manifest import Manifest
from hilum.transforms import Preprocessing

CANVAS = Preprocessing()
"""How canvases for an audit are made: 224 pixels a side, aspect ratio kept, black beside the picture."""

SIDE = 56
"""Side of the small pictures, pixels."""

BLOCK = 512


@dataclass(frozen=True)
class Pictures:
    """All pictures of a manifest, in its order.

    Args:
        small: uint8 `[N, SIDE, SIDE]`, the picture without the black that was added beside it, stretched to a square.
        histogram: uint16 `[N, 256]`, grey levels of the canvas without that black.
        boxes: int64 `[N, 4]`, top, bottom, left, right of the picture on its canvas.
        canvases: the canvases, uint8 `[N, S, S]`, or what gives some of them for an array of positions.
    """

    small: np.ndarray
    histogram: np.ndarray
    boxes: np.ndarray
    canvases: Any

    def __len__(self) -> int:
        return len(self.small)

    def squares(self, positions: Sequence[int] | np.ndarray, side: int) -> np.ndarray:
        """uint8 `[M, side, side]`: some pictures without the black beside them, each stretched to a square."""
        positions = np.asarray(positions, dtype=np.int64)
        canvases = np.asarray(self.canvases[positions])
        cut = [_cut(each, box) for each, box in zip(canvases, self.boxes[positions], strict=True)]
        return np.stack([_square(each, side) for each in cut]) if cut else np.zeros((0, side, side), np.uint8)


def look_at(manifest: Manifest, canvases: Any, on_progress: Callable[[int, int], None] | None = None) -> Pictures:
    """Goes once over all canvases.

    Args:
        canvases: uint8 `[N, S, S]` in manifest order, made with `CANVAS`: an array, a memory map, or a view of a cache.
        on_progress: called with how many are done, and of how many.
    """
    count = len(manifest)
    small, histogram = np.empty((count, SIDE, SIDE), np.uint8), np.empty((count, 256), np.uint16)
    side = int(np.asarray(canvases[0:1]).shape[-1]) if count else CANVAS.image_size
    boxes = content_boxes(manifest.table, side)
    for start in range(0, count, BLOCK):
        block = np.asarray(canvases[np.arange(start, min(start + BLOCK, count))])
        for position, canvas in enumerate(block, start):
            picture = _cut(canvas, boxes[position])
            small[position] = _square(picture, SIDE)
            histogram[position] = np.minimum(np.bincount(picture.ravel(), minlength=256), 65535)
        if on_progress:
            on_progress(min(start + BLOCK, count), count)
    return Pictures(small, histogram, boxes, canvases)


def content_boxes(table: pd.DataFrame, side: int) -> np.ndarray:
    """int64 `[N, 4]`: where `to_canvas` with `fit="pad"` puts pictures of these sizes."""
    height, width = (table[name].to_numpy(dtype=np.float64) for name in ("height", "width"))
    scale = side / np.maximum(height, width)
    tall, wide = (np.maximum(1, np.rint(each * scale)).astype(np.int64) for each in (height, width))
    top, left = (side - tall) // 2, (side - wide) // 2
    return np.stack([top, top + tall, left, left + wide], axis=1)


def _cut(canvas: np.ndarray, box: np.ndarray) -> np.ndarray:
    top, bottom, left, right = box
    return canvas[top:bottom, left:right]


def _square(picture: np.ndarray, side: int) -> np.ndarray:
    import cv2

    smaller = min(picture.shape) >= side
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(picture), (side, side), interpolation=way)
