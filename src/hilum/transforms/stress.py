"""Pictures as they might have been taken and stored elsewhere: for thresholds that should hold there too."""

from __future__ import annotations

import numpy as np

from hilum.transforms.augmentation import Augmentation, augment

_SIDE = 192
"""Pixels a side for which a blur of 1.3 pixels is what it is meant to be."""


def stress_of(side: int) -> Augmentation:
    """Another exposure, sharpness, noise, storing and frame; nothing that turns or moves the patient much.

    Args:
        side: of the canvases, pixels; the same blur covers more of a small picture.
    """
    return Augmentation(
        zoom=0.1,
        brightness=0.1,
        contrast=0.35,
        gamma=0.45,
        blur=1.3 * side / _SIDE,
        noise=0.035,
        collimate=0.3,
        jpeg=0.5,
    )


def stressed(canvases: np.ndarray, copies: int, *, seed: int = 0) -> np.ndarray:
    """Each canvas a few times, each time changed by other draws; the same ones for the same seed.

    Args:
        canvases: uint8 `[N, S, S]`.
        copies: how many of each, at least 1.

    Returns:
        uint8 `[copies * N, S, S]`: all of them once, then all of them again.
    """
    change, whole = stress_of(canvases.shape[-1]), []
    for number in range(copies):
        seeds = [(seed, number, row) for row in range(len(canvases))]
        whole.append(augment(np.ascontiguousarray(canvases), change, seeds))
    return np.concatenate(whole)
