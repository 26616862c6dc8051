"""How far other pictures lie from those that a model was trained on, told from a few figures of each picture.

The model file holds quantiles of these figures over its training pictures; nothing else of them is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

QUANTILES = np.linspace(0, 1, 41)
MOST_PICTURES = 1000
FIGURES: Mapping[str, str] = {
    "brightness": "mean grey level",
    "contrast": "standard deviation of the grey levels",
    "border": "mean grey level of the outer seventh",
    "sharpness": "mean difference of neighbouring pixels",
}
"""Name -> what it is; all in [0, 1]."""


@dataclass(frozen=True)
class Shift:
    """One figure of the pictures, beside its values in training.

    Args:
        name: of `FIGURES`.
        median, training_median: in [0, 1].
        distance: largest difference of the two distribution functions (Kolmogorov-Smirnov), in [0, 1].
        outside: share of the pictures beyond what 95 % of the training pictures show (their 2.5 to 97.5 % range).
    """

    name: str
    median: float
    training_median: float
    distance: float
    outside: float


def picture_figures(canvases: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of each picture.

    Args:
        canvases: uint8 `[N, S, S]`.
    """
    grey = np.asarray(canvases, dtype=np.float32) / 255
    edge = max(1, grey.shape[1] // 7)
    inner = grey[:, edge:-edge, edge:-edge]
    rim = grey[0].size - inner[0].size if len(grey) else 1
    sharpness = np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2)) + np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2))
    return {
        "brightness": grey.mean(axis=(1, 2)),
        "contrast": grey.std(axis=(1, 2)),
        "border": (grey.sum(axis=(1, 2)) - inner.sum(axis=(1, 2))) / rim,
        "sharpness": sharpness / 2,
    }


def spread_positions(count: int, most: int = MOST_PICTURES) -> np.ndarray:
    """At most `most` of `count` positions, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def describe_pictures(figures: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """Name -> quantiles from the smallest to the largest: what the model file holds."""
    return {name: [round(float(q), 6) for q in np.quantile(values, QUANTILES)] for name, values in figures.items()}


def find_shift(training: Mapping[str, Sequence[float]], figures: Mapping[str, np.ndarray]) -> tuple[Shift, ...]:
    """The figures that both sides know, the largest distance first.

    Args:
        training: from `describe_pictures`.
        figures: from `picture_figures`, of the other pictures.
    """
    known = [name for name in figures if name in training and len(figures[name])]
    found = [_shift(name, np.asarray(training[name], dtype=np.float64), figures[name]) for name in known]
    return tuple(sorted(found, key=lambda each: -each.distance))


def _shift(name: str, quantiles: np.ndarray, values: np.ndarray) -> Shift:
    levels = np.linspace(0, 1, len(quantiles))
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    in_training = np.interp(ordered, quantiles, levels, left=0.0, right=1.0)
    above, below = np.arange(1, len(ordered) + 1) / len(ordered), np.arange(len(ordered)) / len(ordered)
    distance = float(max(np.abs(above - in_training).max(), np.abs(in_training - below).max()))
    low, high = np.interp([0.025, 0.975], levels, quantiles)
    outside = float(((ordered < low) | (ordered > high)).mean())
    middle = float(np.interp(0.5, levels, quantiles))
    return Shift(name, float(np.median(ordered)), middle, distance, outside)


def shift_to_json(shifts: Sequence[Shift]) -> list[dict[str, Any]]:
    """JSON values."""
    return [{**vars(each), "meaning": FIGURES[each.name]} for each in shifts]
