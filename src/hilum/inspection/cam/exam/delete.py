"""Does a map mark what counts? Deleting it must hurt the score more than deleting as much elsewhere.

What is deleted is filled in from its surroundings with a little noise, so that the hole itself does not speak
(Rong et al. 2022, ROAD). What it is compared with is not single pixels at random, which are easily filled in again, but
the same shape laid elsewhere on the picture.
"""

from __future__ import annotations

import numpy as np

FRACTIONS = (0.1, 0.25, 0.5)
"""Shares of the picture that are deleted."""

NOISE = 2.5
"""Grey levels, of 255."""


def content_box(canvas: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of what is not the black that padding adds, pixels of a canvas `[S, S]`."""
    rows, columns = np.flatnonzero(canvas.max(axis=1) > 2), np.flatnonzero(canvas.max(axis=0) > 2)
    if not len(rows) or not len(columns):
        return 0, canvas.shape[0], 0, canvas.shape[1]
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def moved_elsewhere(heat: np.ndarray, canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same map `[S, S]` rolled around within the picture by at least a quarter of a side, mirrored or not."""
    top, bottom, left, right = content_box(canvas)
    part = heat[top:bottom, left:right]
    part = part[:, ::-1] if rng.random() < 0.5 else part
    height, width = part.shape
    far = [int(rng.uniform(0.25, 0.75) * side) for side in (height, width)]
    axis = int(rng.integers(3))  # down, across, or both
    shift = (far[0] * (axis != 1), far[1] * (axis != 0))
    moved = np.zeros_like(heat)
    moved[top:bottom, left:right] = np.roll(part, shift, axis=(0, 1))
    return moved


def delete(canvas: np.ndarray, heat: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """The canvas `[S, S]` without the hottest share of its picture."""
    top, bottom, left, right = content_box(canvas)
    part, order = canvas[top:bottom, left:right], heat[top:bottom, left:right]
    # Where a map is 0 its order is drawn, in patches: a scatter of pixels would be filled in again.
    ties = rng.random((-(-part.shape[0] // 16), -(-part.shape[1] // 16))).repeat(16, 0).repeat(16, 1)
    ranked = order + 1e-6 * ties[: part.shape[0], : part.shape[1]]
    missing = ranked > np.quantile(ranked, 1 - fraction)
    filled = canvas.copy()
    filled[top:bottom, left:right] = fill_in(part, missing, rng)
    return filled


def fill_in(picture: np.ndarray, missing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Missing pixels from their surroundings, coarse where the hole is wide.

    Pull and push over a pyramid (Gortler et al. 1996, section 3.4) in place of ROAD's linear system: a hundred times
    faster, and as smooth.

    Args:
        picture: uint8 `[H, W]`.
        missing: bool `[H, W]`.
    """
    known = (~missing).astype(np.float32)
    smooth = _pull_push(picture.astype(np.float32) * known, known)
    noisy = smooth + rng.normal(0, NOISE, picture.shape)
    return np.where(missing, np.rint(noisy).clip(0, 255), picture).astype(np.uint8)


def _pull_push(weighted: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Values times weights and the weights `[h, w]` -> values everywhere."""
    import cv2

    height, width = weight.shape
    own = weighted / np.maximum(weight, 1e-6)
    if min(height, width) <= 2 or weight.min() > 0.999:
        return np.where(weight > 0, own, (weighted.sum() / max(weight.sum(), 1e-6)))
    half = ((width + 1) // 2, (height + 1) // 2)
    small = [cv2.resize(each, half, interpolation=cv2.INTER_AREA) for each in (weighted, weight)]
    # A place with few known pixels is trusted less than one with many.
    trust = np.minimum(1, 4 * small[1])
    coarse = _pull_push(small[0] / np.maximum(small[1], 1e-6) * trust, trust)
    below = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return weight * own + (1 - weight) * below
