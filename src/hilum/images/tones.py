"""From stored values to grey values over the whole range of their type."""

from __future__ import annotations

import numpy as np

WHITE = 65535
_COMMON_DEPTHS = (8, 10, 12, 14)


def scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Maps `[low, high]` linearly onto 0..65535; what lies outside is clipped, what is not a number becomes black.

    Args:
        values: any shape, real numbers.
        low, high: finite, `low < high`.

    Returns:
        uint16, same shape.
    """
    shown = (np.asarray(values, dtype=np.float64) - low) * (WHITE / (high - low))
    return np.rint(np.clip(np.nan_to_num(shown, nan=0.0), 0, WHITE)).astype(np.uint16)


def stretched(values: np.ndarray) -> np.ndarray:
    """Maps the smallest finite value to black and the largest to white; a constant becomes black.

    Args:
        values: any shape; integers or floats, NaN and infinities allowed.

    Returns:
        uint16, same shape.
    """
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if not 0 < high - low < np.inf:
        return np.zeros(values.shape, dtype=np.uint16)
    return scaled(values, low, high)


def filled(pixels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Brings 8, 10, 12 or 14 bits in a 16-bit file up to the whole range.

    Args:
        pixels: uint16.

    Returns:
        The pixels, multiplied by a power of two where the largest needs at most 14 bits, and the warnings.
    """
    needed = int(pixels.max()).bit_length()
    if needed == 0 or needed > max(_COMMON_DEPTHS):
        return pixels, []
    depth = next(depth for depth in _COMMON_DEPTHS if depth >= needed)
    return pixels << np.uint16(16 - depth), ["few-bits"]


def is_blank(pixels: np.ndarray) -> bool:
    """Whether darkest and brightest pixel differ by less than 1 % of the type's range."""
    import cv2

    darkest, brightest, _, _ = cv2.minMaxLoc(pixels)
    return brightest - darkest < 0.01 * (255 if pixels.dtype == np.uint8 else WHITE)


def percentile_range(values: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """The 0.5 and 99.5 percentiles, or the extremes where those coincide.

    Args:
        values: `[V]`, finite.
        counts: `[V]`, how often each occurs, not all 0.

    Returns:
        low, high; equal only if there is a single value.
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(counts[order])
    at = np.searchsorted(reached, [0.005 * reached[-1], 0.995 * reached[-1]])
    low, high = values[order][np.minimum(at, len(values) - 1)]
    if low == high:
        present = values[counts > 0]
        low, high = present.min(), present.max()
    return float(low), float(high)
