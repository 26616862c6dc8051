"""Where does a map lie: in the lungs, at the border, on the true lesion, on a planted marker?"""

from __future__ import annotations

import numpy as np

from hilum.inspection.cam.exam.delete import content_box

BORDER = 0.1
"""Of each side of the picture: what lies this close to its edge."""

TOLERANCE = 15 / 224
"""Of the side: how far beside a lesion a peak may lie and still count, as in Zhang et al. 2018 (pointing game)."""


def shares(heat: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Which share of each map `[N, S, S]` lies inside its mask: `[N]`, NaN for an empty map or mask."""
    total, inside = heat.sum(axis=(1, 2)), (heat * masks).sum(axis=(1, 2))
    defined = (total > 0) & masks.any(axis=(1, 2))
    return np.divide(inside, total, out=np.full(len(heat), np.nan), where=defined)


def areas(masks: np.ndarray, canvases: np.ndarray) -> np.ndarray:
    """Which share of each picture its mask covers: `[N]`; what padding adds is no picture."""
    boxes = [content_box(canvas) for canvas in canvases]
    sizes = np.array([(bottom - top) * (right - left) for top, bottom, left, right in boxes], np.float64)
    return masks.sum(axis=(1, 2)) / sizes


def border_masks(canvases: np.ndarray) -> np.ndarray:
    """bool `[N, S, S]`: the outer tenth of each picture on every side."""
    masks = np.zeros(canvases.shape, bool)
    for mask, canvas in zip(masks, canvases, strict=True):
        top, bottom, left, right = content_box(canvas)
        down, across = round(BORDER * (bottom - top)), round(BORDER * (right - left))
        mask[top:bottom, left:right] = True
        mask[top + down : bottom - down, left + across : right - across] = False
    return masks


def widened(masks: np.ndarray) -> np.ndarray:
    """Masks `[N, S, S]` grown by the tolerance of the pointing game on every side."""
    import cv2

    reach = round(TOLERANCE * masks.shape[-1])
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.stack([cv2.dilate(each.astype(np.uint8), disc) for each in masks]).astype(bool)


def peaks_inside(heat: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Whether the hottest pixel of each map lies in its mask: 0 or 1 `[N]`, NaN for an empty map or mask."""
    flat = heat.reshape(len(heat), -1)
    hit = masks.reshape(len(masks), -1)[np.arange(len(heat)), flat.argmax(axis=1)].astype(np.float64)
    return np.where((flat.max(axis=1) > 0) & masks.any(axis=(1, 2)), hit, np.nan)


def overlaps(heat: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Intersection over union of each mask and as large a part of its map, the hottest: `[N]`, NaN as above."""
    found = np.full(len(heat), np.nan)
    for position, (each, mask) in enumerate(zip(heat, masks, strict=True)):
        if mask.any() and each.max() > 0:
            hottest = np.zeros(mask.size, bool)
            hottest[np.argsort(-each.ravel(), kind="stable")[: mask.sum()]] = True
            marked = hottest.reshape(mask.shape)
            found[position] = (marked & mask).sum() / (marked | mask).sum()
    return found
