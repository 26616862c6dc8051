"""Where a body lies on a picture, and how shapes in body units become pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise

import cv2
import numpy as np

FRACTION_BITS = 4
"""OpenCV draws at 1/16 of a pixel."""

Shapes = np.ndarray | list[np.ndarray]
"""Points in body units: `[shapes, N, 2]`, or a list of `[N, 2]` of different lengths."""


@dataclass(frozen=True)
class Frame:
    """The map from body units to the pixels of one picture.

    Args:
        height: pixels.
        width: pixels.
        scale: pixels a body unit.
        rotation: degrees, clockwise on the picture.
        shift: body units to the right and down.
    """

    height: int
    width: int
    scale: float
    rotation: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)

    @cached_property
    def _axes(self) -> tuple[np.ndarray, np.ndarray]:
        angle = np.deg2rad(self.rotation)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        centre = np.array([self.width / 2, self.height / 2]) + self.scale * np.array(self.shift)
        return turn * self.scale, centre - (np.array([0.0, 0.48]) @ turn) * self.scale

    @cached_property
    def _fixed_axes(self) -> tuple[np.ndarray, np.ndarray]:
        turn, offset = self._axes
        return turn * (1 << FRACTION_BITS), offset * (1 << FRACTION_BITS)

    def reduced(self, factor: int) -> Frame:
        """The same view on a picture `factor` times smaller."""
        height, width = -(-self.height // factor), -(-self.width // factor)
        return Frame(height, width, self.scale / factor, self.rotation, self.shift)

    def body(self) -> tuple[np.ndarray, np.ndarray]:
        """Body coordinates x and y of every pixel, each `[H, W]` float32."""
        turn, offset = self._axes
        back = (turn.T / self.scale**2).astype(np.float32)
        x = np.arange(self.width, dtype=np.float32)[None, :] - np.float32(offset[0])
        y = np.arange(self.height, dtype=np.float32)[:, None] - np.float32(offset[1])
        return x * back[0, 0] + y * back[1, 0], x * back[0, 1] + y * back[1, 1]

    def _fixed(self, shapes: Shapes) -> list[np.ndarray]:
        """Body units -> the fixed-point pixels that OpenCV draws, all shapes in one go."""
        points = np.concatenate(shapes) if isinstance(shapes, list) else shapes.reshape(-1, 2)
        turn, offset = self._fixed_axes
        fixed = points @ turn
        fixed += offset
        fixed = np.rint(fixed, out=fixed).astype(np.int32)
        if isinstance(shapes, list):
            ends = list(accumulate(map(len, shapes), initial=0))
            return [fixed[start:end] for start, end in pairwise(ends)]
        return list(fixed.reshape(shapes.shape))

    def layer(self) -> np.ndarray:
        """An empty uint8 `[H, W]` to draw on."""
        return np.zeros((self.height, self.width), np.uint8)

    def fill(self, layer: np.ndarray, outlines: Shapes, value: int = 255, apart: bool = False) -> None:
        """Fills closed outlines in body units; where they overlap the value stays the same.

        Args:
            apart: promises that they do not overlap, which is faster.
        """
        fixed = self._fixed(outlines)
        for group in [fixed] if apart else [[outline] for outline in fixed]:
            cv2.fillPoly(layer, group, value, cv2.LINE_AA, FRACTION_BITS)

    def stroke(self, layer: np.ndarray, lines: Shapes, width: float, value: int = 255, closed: bool = False) -> None:
        """Draws lines in body units, `width` body units across (at least one pixel)."""
        thickness = max(1, round(width * self.scale))
        cv2.polylines(layer, self._fixed(lines), closed, value, thickness, cv2.LINE_AA, FRACTION_BITS)

    def enlarge(self, field: np.ndarray) -> np.ndarray:
        """A smooth field of a reduced frame -> `[H, W]` of this one."""
        return cv2.resize(field, (self.width, self.height), interpolation=cv2.INTER_LINEAR)

    def blur(self, picture: np.ndarray, sigma: float) -> None:
        """Blurs a picture in place with a Gaussian of `sigma` body units."""
        pixels = max(sigma * self.scale, 0.3)
        side = 2 * round(2.5 * pixels) + 1
        cv2.GaussianBlur(picture, (side, side), pixels, dst=picture, borderType=cv2.BORDER_REPLICATE)


def add_layer(total: np.ndarray, layer: np.ndarray, gain: float) -> None:
    """Adds `gain` times a uint8 layer (255 counts as 1) to a float32 picture, in place."""
    cv2.addWeighted(total, 1, layer, gain / 255, 0, dst=total, dtype=cv2.CV_32F)


def times(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The product of two uint8 layers of which 255 counts as 1."""
    return cv2.multiply(one, other, scale=1 / 255)


@lru_cache(maxsize=64)
def _catmull_rom(count: int, samples: int, closed: bool) -> np.ndarray:
    """Weights `[samples', count]` of a Catmull-Rom spline through `count` points, `samples` a segment."""
    t = np.linspace(0, 1, samples, endpoint=False)
    basis = 0.5 * np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3], 1)
    segments = count if closed else count - 1
    weights = np.zeros((segments * samples + (not closed), count))
    for segment in range(segments):
        for tap in range(4):
            index = segment + tap - 1
            index = index % count if closed else min(max(index, 0), count - 1)
            weights[segment * samples : (segment + 1) * samples, index] += basis[:, tap]
    if not closed:
        weights[-1, -1] = 1
    return weights


def spline(points: Sequence[Sequence[float]] | np.ndarray, samples: int = 8, closed: bool = False) -> np.ndarray:
    """A smooth line through points `[..., N, 2]`; a point given twice makes a corner."""
    points = np.asarray(points, dtype=np.float64)
    return _catmull_rom(points.shape[-2], samples, closed) @ points
