"""The predictions table: what a model said of each image, keyed by image, never by position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hilum.data.parquet import read_table, write_table
from hilum.errors import DataError
from hilum.labels import LabelSet

SCHEMA = "hilum.predictions/1"


@dataclass(frozen=True)
class Predictions:
    """One row an image, made in one pass over a split.

    Args:
        table: columns `image_path` (unique), `patient_id`, `split`, `target` (a class name), then for each class
            `prob_NAME` in [0, 1] (a row sums to 1) and `logit_NAME`.
        labels: the classes in order.
        about: what made them: model file and its SHA-256, manifest fingerprint, TTA views, versions.

    Raises:
        DataError: an image twice, a column missing, or probabilities that are no probabilities.
    """

    table: pd.DataFrame
    labels: LabelSet
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = ["image_path", "patient_id", "split", "target"]
        columns += [f"{kind}_{name}" for name in self.labels for kind in ("prob", "logit")]
        missing = [column for column in columns if column not in self.table.columns]
        if missing:
            raise DataError("predictions", expected=f"the columns {', '.join(columns)}", found=f"no {missing[0]}")
        repeated = self.table["image_path"][self.table["image_path"].duplicated()]
        if len(repeated):
            raise DataError(f"predictions for {repeated.iloc[0]}", expected="one row an image", found="more than one")
        sums = self.probs.sum(axis=1)
        if not (np.isfinite(self.logits).all() and np.allclose(sums, 1, atol=1e-4)):
            worst = float(sums[np.argmax(np.abs(sums - 1))]) if np.isfinite(sums).all() else float("nan")
            raise DataError("predictions", expected="probabilities that sum to 1", found=f"a row that sums to {worst}")

    @classmethod
    def of(cls, rows: pd.DataFrame, logits: np.ndarray, labels: LabelSet, **about: Any) -> Predictions:
        """Joins manifest rows with the logits made for them in the same pass.

        Args:
            rows: manifest rows (`image_path, patient_id, split, label`), in the order of `logits`.
            logits: float `[N, K]`.
        """
        logits = np.asarray(logits, dtype=np.float64)
        if logits.shape != (len(rows), len(labels)):
            raise DataError("logits", expected=f"shape {(len(rows), len(labels))}", found=f"{logits.shape}")
        exps = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs = exps / exps.sum(axis=1, keepdims=True)
        table = rows[["image_path", "patient_id", "split"]].reset_index(drop=True)
        table["target"] = rows["label"].to_numpy()
        for position, name in enumerate(labels):
            table[f"prob_{name}"], table[f"logit_{name}"] = probs[:, position], logits[:, position]
        return cls(table, labels, about)

    def __len__(self) -> int:
        return len(self.table)

    def with_logits(self, logits: np.ndarray) -> Predictions:
        """The same images with other logits, float `[N, K]`, and the probabilities that follow."""
        rows = self.table.rename(columns={"target": "label"})
        return Predictions.of(rows, logits, self.labels, **self.about)

    @property
    def target(self) -> np.ndarray:
        """int64 `[N]`: position of the true class."""
        return self.labels.encode(self.table["target"].tolist())

    @property
    def probs(self) -> np.ndarray:
        """float64 `[N, K]` in [0, 1]."""
        return self.table[[f"prob_{name}" for name in self.labels]].to_numpy(np.float64)

    @property
    def logits(self) -> np.ndarray:
        """float64 `[N, K]`."""
        return self.table[[f"logit_{name}" for name in self.labels]].to_numpy(np.float64)

    @property
    def decisions(self) -> np.ndarray:
        """int64 `[N]`: the most probable class."""
        return self.probs.argmax(axis=1)

    def write(self, path: Path) -> None:
        """Writes Parquet, beside and renamed into place."""
        write_table(path, self.table, SCHEMA, {"labels": list(self.labels), "about": dict(self.about)})


def read_predictions(path: Path) -> Predictions:
    """Reads what `Predictions.write` wrote.

    Raises:
        DataError: the file is no predictions file.
    """
    table, about = read_table(path, SCHEMA)
    return Predictions(table, LabelSet(tuple(about["labels"])), about["about"])
