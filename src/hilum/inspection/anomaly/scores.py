"""The table of scores: how strange each detector finds each image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hilum.data.parquet import read_table, write_table
from hilum.errors import DataError

SCHEMA = "hilum.anomaly-scores/1"
ABOUT = ("image_path", "patient_id", "split", "label")
PREFIX = "score_"


@dataclass(frozen=True)
class Scores:
    """One row an image.

    Args:
        table: columns `image_path` (unique), `patient_id`, `split`, `label`, and `score_NAME` for each detector, larger
            is stranger.
        normal: the class that is normal.
        about: what made them.

    Raises:
        DataError: an image twice, a score that is no number, or no image of the normal class.
    """

    table: pd.DataFrame
    normal: str
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        repeated = self.table["image_path"][self.table["image_path"].duplicated()]
        if len(repeated):
            raise DataError(f"scores of {repeated.iloc[0]}", expected="one row an image", found="more than one")
        for name in self.names:
            if not np.isfinite(self.of(name)).all():
                raise DataError(f"anomaly score {name}", expected="finite numbers", found="one that is not")
        if not self.is_normal.any():
            raise DataError("anomaly scores", expected=f"images of the class {self.normal}", found="none")

    @classmethod
    def of_rows(cls, rows: pd.DataFrame, scores: Mapping[str, np.ndarray], normal: str, **about: Any) -> Scores:
        """Manifest rows, and each detector's scores in their order."""
        table = rows[list(ABOUT)].reset_index(drop=True)
        return cls(table.assign(**{f"{PREFIX}{name}": values for name, values in scores.items()}), normal, about)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the scores."""
        return tuple(name.removeprefix(PREFIX) for name in self.table.columns if name.startswith(PREFIX))

    @property
    def is_normal(self) -> np.ndarray:
        """bool `[N]`."""
        return (self.table["label"] == self.normal).to_numpy()

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that have images, in the order train, val, test, others."""
        known = ["train", "val", "test"]
        there = list(dict.fromkeys(self.table["split"]))
        return tuple(sorted(there, key=lambda name: known.index(name) if name in known else len(known)))

    def of(self, name: str) -> np.ndarray:
        """One detector's scores, float64 `[N]`."""
        return self.table[f"{PREFIX}{name}"].to_numpy(np.float64)

    def among(self, rows: np.ndarray) -> Scores:
        """Only these rows, a bool `[N]`."""
        return Scores(self.table[rows].reset_index(drop=True), self.normal, self.about)

    def split(self, name: str) -> Scores:
        """Only one split."""
        return self.among((self.table["split"] == name).to_numpy())

    def beside(self, other: Scores) -> Scores:
        """The scores of both, on the images that both have.

        Raises:
            DataError: another normal class, or no image in common.
        """
        if other.normal != self.normal:
            raise DataError("anomaly scores", expected=f"normal images called {self.normal}", found=other.normal)
        new = [name for name in other.names if name not in self.names]
        added = other.table[["image_path", *(f"{PREFIX}{name}" for name in new)]]
        return Scores(self.table.merge(added, on="image_path"), self.normal, {**other.about, **self.about})

    def write(self, path: Path) -> None:
        """One Parquet file, written beside and renamed into place."""
        write_table(path, self.table, SCHEMA, {"normal": self.normal, "about": dict(self.about)})


def read_scores(path: Path) -> Scores:
    """Reads what `Scores.write` wrote.

    Raises:
        DataError: another kind of file.
    """
    table, about = read_table(path, SCHEMA)
    return Scores(table, about["normal"], about["about"])
