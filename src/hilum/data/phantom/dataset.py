"""A drawn data set: its plan in memory, its pictures on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from hilum.data.phantom.drawing import Drawing, draw_image
from hilum.data.phantom.faults import Faults
from hilum.data.phantom.files import change_slightly
from hilum.data.phantom.film import Planted
from hilum.data.phantom.machine import MACHINES
from hilum.data.phantom.patient import draw_patient
from hilum.data.phantom.plan import CLASS_FINDINGS, draw_plan
from hilum.errors import UsageError

BY_NAME = {machine.name: machine for machine in MACHINES}


@dataclass(frozen=True, eq=False)
class DrawnDataset:
    """Pictures that are drawn when they are asked for: `dataset[i]`, or by iterating.

    Args:
        table: one row a file, the columns of `plan.PLAN_COLUMNS`.
        classes: the class names in the order that was asked for.
        arguments: what `draw_dataset` was called with, faults as a mapping: numbers and names only.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    arguments: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def _columns(self) -> dict[str, list]:
        return {str(name): column.tolist() for name, column in self.table.items()}

    def row(self, index: int) -> dict[str, Any]:
        """One row of the table; ten times faster than through pandas."""
        return {name: column[index] for name, column in self._columns.items()}

    def __getitem__(self, index: int) -> Drawing:
        """The drawing of a row: picture, lung mask, lesion mask, facts; the same each time."""
        row = self.row(index)
        drawing = draw_image(
            draw_patient(row["patient_seed"]),
            row["finding"],
            BY_NAME[row["machine"]],
            np.random.default_rng(row["image_seed"]),
            self.arguments["difficulty"],
            size=self.arguments["size"],
            planted=Planted(_number(row["marker"]), _number(row["border"]), row["shift"]),
        )
        if not row["change"]:
            return drawing
        return change_slightly(drawing, row["change"], np.random.default_rng([row["image_seed"], 1]))

    def __iter__(self) -> Iterator[Drawing]:
        return (self[index] for index in range(len(self)))


def _number(value: int) -> int | None:
    return None if value < 0 else value


def _check_classes(classes: Sequence[str]) -> None:
    for name in classes:
        if name not in CLASS_FINDINGS:
            near = get_close_matches(name, CLASS_FINDINGS, 1)
            known = ", ".join(CLASS_FINDINGS)
            hint = f"Did you mean {near[0]!r}?" if near else ""
            raise UsageError(f"class {name!r}", expected=f"one of {known}", way_out=hint)
    if not classes or len(set(classes)) != len(classes):
        raise UsageError(
            "classes to draw", expected="different names, at least one", found=", ".join(classes) or "none"
        )


def _check(what: str, value: float, fits: bool, expected: str) -> None:
    if not fits:
        raise UsageError(what, expected=expected, found=str(value))


def draw_dataset(
    *,
    images: int = 600,
    classes: Sequence[str] = ("normal", "bacterial", "viral"),
    size: int = 224,
    images_per_patient: float = 1.3,
    test_fraction: float = 0.2,
    difficulty: float = 0.5,
    faults: Faults = Faults(),  # noqa: B008 - frozen
    independent: bool = False,
    seed: int = 0,
) -> DrawnDataset:
    """Plans a data set of drawn chest X-rays; nothing is drawn before it is asked for.

    Args:
        images: how many pictures, before faults add copies or take patients away.
        classes: names from `CLASS_FINDINGS`, in equal shares.
        size: longer side of a picture, pixels.
        images_per_patient: average, at least 1.
        test_fraction: share of each class's patients in the test split, in [0, 1).
        difficulty: 0 = lesions stand out, 1 = they almost drown. A CNN of 0.1 million parameters, trained at 128
            pixels for 30 epochs on 600 images of three classes, got 0.99, 0.96, 0.90, 0.73 and 0.50 of 600 others right
            at 0, 0.25, 0.5, 0.75 and 1.
        faults: what to plant; shortcuts follow the true class.
        independent: draws the pictures without regard to the class, so that there is nothing to learn.
        seed: at least 0; the same arguments give the same data set.

    Raises:
        UsageError: an unknown class or a number out of range.
    """
    _check_classes(classes)
    _check("number of images", images, images >= 1, "at least 1")
    _check("images per patient", images_per_patient, 1 <= images_per_patient <= 100, "a number from 1 to 100")
    _check("test fraction", test_fraction, 0 <= test_fraction < 1, "a number from 0 to below 1")
    _check("difficulty", difficulty, 0 <= difficulty <= 1, "a number from 0 to 1")
    _check("image size", size, 32 <= size <= 4096, "32 to 4096 pixels")
    _check("seed", seed, seed >= 0, "a whole number, at least 0")
    table = draw_plan(images, tuple(classes), images_per_patient, test_fraction, faults, independent, seed)
    arguments = {
        "images": images,
        "classes": list(classes),
        "size": size,
        "images_per_patient": images_per_patient,
        "test_fraction": test_fraction,
        "difficulty": difficulty,
        "faults": asdict(faults),
        "independent": independent,
        "seed": seed,
    }
    return DrawnDataset(table, tuple(classes), arguments)
