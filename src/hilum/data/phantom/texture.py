"""Random fields and branching lines, drawn at any size of picture."""

from __future__ import annotations

import cv2
import numpy as np

from hilum.data.phantom.anatomy import LEFT, RIGHT, hila
from hilum.data.phantom.frame import Frame, spline
from hilum.data.phantom.patient import Patient

VESSEL_STREAM = 12
FAN = np.deg2rad(np.linspace(-80, 118, 8))
"""Where the vessels of the first generation set out for: 0 = outwards, 90 = down."""
STEPS = 6

NOISE_MEAN, NOISE_SD = 128, 32
_NET = np.rint(255 * np.exp(-(((np.arange(256) - NOISE_MEAN) / (0.3 * NOISE_SD)) ** 2))).astype(np.uint8)


def smooth_noise(frame: Frame, cell: float, generator: np.random.Generator) -> np.ndarray:
    """A random field `[H, W]` uint8: mean `NOISE_MEAN`, deviation near `NOISE_SD`, lumps of about `cell` body units."""
    step = max(cell * frame.scale, 1.0)
    rows, columns = int(frame.height / step) + 4, int(frame.width / step) + 4
    grid = generator.standard_normal((rows, columns), dtype=np.float32) * np.float32(1.35 * NOISE_SD)
    grid = np.clip(grid + np.float32(NOISE_MEAN), 0, 255).astype(np.uint8)
    field = cv2.resize(grid, (round(columns * step), round(rows * step)), interpolation=cv2.INTER_CUBIC)
    top, left = (field.shape[0] - frame.height) // 2, (field.shape[1] - frame.width) // 2
    return field[top : top + frame.height, left : left + frame.width]


def normal_noise(frame: Frame, cell: float, generator: np.random.Generator) -> np.ndarray:
    """The same as float32 with mean 0 and standard deviation near 1."""
    return (smooth_noise(frame, cell, generator).astype(np.float32) - NOISE_MEAN) * np.float32(1 / NOISE_SD)


def net(frame: Frame, cell: float, generator: np.random.Generator) -> np.ndarray:
    """A random net of fine lines, uint8 `[H, W]`: where a smooth field passes through its mean."""
    return cv2.LUT(smooth_noise(frame, cell, generator), _NET)


def branches(patient: Patient) -> list[np.ndarray]:
    """The vessels of both lungs: three generations of curved lines, `[lines, N, 2]` each, the thickest first."""
    rng = patient.generator(VESSEL_STREAM)
    reach = 0.42 * patient.width + 0.16 * (patient.base - patient.apex)
    side = np.repeat([RIGHT, LEFT], len(FAN))
    start = np.repeat(hila(patient), len(FAN), axis=0)
    angle = np.tile(FAN, 2)
    length = reach * rng.uniform(0.55, 0.85, len(side))
    generations = []
    for children in (2, 2, 0):
        turn = angle[:, None] + np.cumsum(rng.normal(0.03, 0.16, (len(angle), STEPS)), axis=1)
        heading = np.stack([np.cos(turn) * side[:, None], np.sin(turn)], -1) * (length[:, None, None] / STEPS)
        knots = start[:, None] + np.cumsum(heading, axis=1)
        lines = np.concatenate([start[:, None], knots], 1)
        generations.append(spline(lines, 2) if children else lines)
        if children:
            parent = np.repeat(np.arange(len(angle)), children)
            where, fork, short = rng.random((3, len(parent)))
            knot = 1 + (where * (STEPS - 1)).astype(int)
            start, side = knots[parent, knot], side[parent]
            angle = turn[parent, knot] + np.where(fork < 0.5, -0.2, 0.2) + 1.8 * (fork - 0.5)
            length = length[parent] * (0.35 + 0.25 * short)
    return generations
