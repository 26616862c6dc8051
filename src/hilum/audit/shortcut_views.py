"""What a shortcut probe is shown, and what it would mean if the class could be told from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from hilum.audit.columns import encode_column, encode_columns, header_columns
from hilum.audit.names import name_features
from hilum.audit.views import Views, border_mask, corners_mask, outside_lungs_mask
from hilum.data.manifest import Manifest

Features = Callable[[pd.DataFrame, Views, Manifest], np.ndarray]
"""Manifest rows, views of the same images, the manifest -> float `[N, D]`; D = 0 where there is nothing to see."""


@dataclass(frozen=True)
class View:
    """Something that a probe is shown.

    Args:
        code: the finding's code is `shortcut-` and this.
        name: what it is called in a title.
        shows: what the probe sees, in words.
        lungs: `none` where the lungs are not in it, `some` where disease must show too, `unread` where no network
            looks.
        allowance: the AUROC that disease alone may bring, measured in
            `docs/decisions/0006-when-a-shortcut-is-an-alarm.md`.
        features: how to get it.
        meaning: what it means when the class can be told from it, and what to do.
    """

    code: str
    name: str
    shows: str
    lungs: Literal["none", "some", "unread"]
    allowance: float
    features: Features
    meaning: str


def _masked(mask: np.ndarray) -> Features:
    return lambda rows, views, manifest: views.small[:, mask.ravel()]


def _stored(rows: pd.DataFrame, *, differently: bool) -> pd.DataFrame:
    """The header columns if files are stored differently, or if they are not; no column in the other case."""
    columns = header_columns(rows)
    differ = not set(columns) <= {"file_bytes", "bytes_per_pixel"}
    return columns if differ == differently else columns[[]]


def _names(rows: pd.DataFrame, views: Views, manifest: Manifest) -> np.ndarray:
    rule = str(manifest.facts.get("labels_rule", "folders"))
    return name_features(rows["image_path"].tolist(), manifest.labels, rule)


WHOLE = View(
    "whole",
    "the whole picture",
    "the whole picture (28 x 28)",
    "some",
    1.0,
    lambda rows, views, manifest: views.small,
    "",
)
_CUT = (
    "Crop or mask that part, take all classes from the same places and devices, and believe only a test set from "
    "elsewhere."
)
VIEWS = (
    View(
        "header",
        "the file header",
        "how the file is stored (size, bytes per pixel, JPEG tables, colour mode)",
        "none",
        0.65,
        lambda rows, views, manifest: encode_columns(_stored(rows, differently=True)),
        "The classes were saved in different ways, and compression leaves traces in the pixels: encode all files anew "
        "in one way, from the least compressed originals, and compare.",
    ),
    View(
        "file-size",
        "the file size",
        "the size of the file (all files are stored in one way)",
        "some",
        0.75,
        lambda rows, views, manifest: encode_columns(_stored(rows, differently=False)),
        "Files of one size and quality differ by how much detail the pictures have: see whether sharpness or noise "
        "differs between the classes, and bring all pictures through the same reduction.",
    ),
    View(
        "border",
        "the border",
        "the outer border (4 of 28 pixels a side)",
        "none",
        0.75,
        _masked(border_mask()),
        _CUT,
    ),
    View(
        "corners",
        "the corners",
        "the corners (the centre is blanked by a circle as wide as the picture)",
        "none",
        0.6,
        _masked(corners_mask()),
        _CUT,
    ),
    View(
        "lungs-blanked",
        "outside the lungs",
        "the picture with the lungs blanked (one fixed mask)",
        "none",
        0.6,
        _masked(outside_lungs_mask()),
        _CUT,
    ),
    View(
        "grain",
        "the grain",
        "how strong the finest detail is from place to place",
        "some",
        0.9,
        lambda rows, views, manifest: views.grain,
        "Sharpness, noise and compression may differ between the classes: bring all pictures through the same "
        "reduction and compression, and look at pictures of each class side by side.",
    ),
    View(
        "tones",
        "the grey levels",
        "the grey levels without their places (mean, spread, percentiles)",
        "some",
        0.9,
        lambda rows, views, manifest: views.tones,
        "Exposure or windowing may differ between the classes: vary brightness and contrast in training, or equalise.",
    ),
    View(
        "source",
        "the source",
        "which source the file comes from",
        "none",
        0.6,
        lambda rows, views, manifest: encode_column(rows["source"].fillna("")),
        "A network may learn to tell the sources apart: take each class from each source, or test on a source that was "
        "not trained on.",
    ),
    View(
        "file-name",
        "the file name",
        "the file name without the words that stand for a class",
        "unread",
        0.6,
        _names,
        "No network reads file names, but such names mean that the classes were collected or exported apart: ask how.",
    ),
)
