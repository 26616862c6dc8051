"""What is known of drawn X-rays: where the lesion lies, and where a marker was planted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from hilum.data.manifest import Manifest
from hilum.data.phantom import DrawnDataset, read_dataset
from hilum.data.phantom.film import MARKER_PLACES
from hilum.data.phantom.write import FACTS_FILE, TRUTH_FILE
from hilum.errors import DataError
from hilum.inspection.cam.overlay import place_of
from hilum.transforms.preprocessing import Preprocessing

MARKER_REACH = 0.06
"""Of the picture's longer side: how far a marker's letter and its jitter reach from their middle."""


@dataclass(frozen=True)
class Truth:
    """Masks on the canvas, bool `[N, S, S]`; empty where there is no such thing."""

    lungs: np.ndarray
    lesions: np.ndarray
    markers: np.ndarray


def find_truth(manifest: Manifest, image_paths: Sequence[str], preprocessing: Preprocessing) -> Truth | None:
    """The truth about images that hilum drew; None for any others."""
    root = _drawn_root(manifest.path(image_paths[0])) if len(image_paths) else None
    if root is None:
        return None
    try:
        drawn, index = read_dataset(root), _index(root)
        rows = [index[manifest.path(name).resolve().relative_to(root).as_posix()] for name in image_paths]
    except (DataError, OSError, KeyError, ValueError):
        return None
    return truth_of(drawn, rows, preprocessing)


def truth_of(drawn: DrawnDataset, rows: Sequence[int], preprocessing: Preprocessing) -> Truth:
    """The truth about some rows of a drawn data set."""
    lungs, lesions, markers = list[np.ndarray](), list[np.ndarray](), list[np.ndarray]()
    for row in rows:
        drawing, marker = drawn[row], drawn.row(row)["marker"]
        planted = marker_mask(drawing.lung_mask.shape, marker)
        for masks, mask in ((lungs, drawing.lung_mask), (lesions, drawing.lesion_mask), (markers, planted)):
            masks.append(_on_canvas(mask, preprocessing))
    return Truth(np.stack(lungs), np.stack(lesions), np.stack(markers))


def marker_mask(shape: tuple[int, int], marker: int) -> np.ndarray:
    """Where the planted marker of this number stands, bool `[H, W]`; empty for -1."""
    mask = np.zeros(shape, bool)
    if marker >= 0:
        _, x, y = MARKER_PLACES[marker]
        reach = round(MARKER_REACH * max(shape))
        row, column = round(y * shape[0]), round(x * shape[1])
        mask[max(row - reach, 0) : row + reach, max(column - reach, 0) : column + reach] = True
    return mask


def _drawn_root(path: Path) -> Path | None:
    return next((each for each in path.resolve().parents[:4] if (each / FACTS_FILE).is_file()), None)


@cache
def _index(root: Path) -> dict[str, int]:
    import pandas as pd

    names = pd.read_csv(root / TRUTH_FILE, usecols=["image_path"])["image_path"]
    return {name: row for row, name in enumerate(names)}


def _on_canvas(mask: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    import cv2

    where = place_of(mask.shape[0], mask.shape[1], preprocessing)
    top, bottom, left, right = where.picture
    part = np.ascontiguousarray(mask[top:bottom, left:right].astype(np.uint8))
    top, bottom, left, right = where.canvas
    found = np.zeros((preprocessing.image_size,) * 2, bool)
    found[top:bottom, left:right] = cv2.resize(part, (right - left, bottom - top), interpolation=cv2.INTER_AREA) > 0
    return found
