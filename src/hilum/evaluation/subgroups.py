"""Figures of parts of a split: by view, source, machine, sex and age, where the manifest knows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hilum.data.predictions import Predictions
from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.intervals import share_interval
from hilum.evaluation.values import Estimate

COLUMNS = {"source": "source", "view": "view", "machine": "machine", "sex": "sex", "age_years": "age in years"}
"""Columns of a manifest that split people or pictures, and what they are called."""

AGES = (18, 40, 65)
FEWEST = 10
"""Images below which a part gets no figure."""

MOST = 12
"""Parts of one column that are listed, the largest first."""


@dataclass(frozen=True)
class Subgroup:
    """One part of a split.

    Args:
        column, value: which part, in words: `view`, `AP`.
        images, patients: how many.
        accuracy: share of its images that are called right.
        classes: class -> images, of those that it has.
    """

    column: str
    value: str
    images: int
    patients: int
    accuracy: Estimate
    classes: dict[str, int]


def find_subgroups(predictions: Predictions, table: pd.DataFrame) -> tuple[Subgroup, ...]:
    """Every part with at least `FEWEST` images, of columns that split the predicted images into two or more.

    Args:
        predictions: of one split.
        table: a manifest's table, which has at least these images.
    """
    rows = table.set_index("image_path").reindex(predictions.table["image_path"])
    patients = Patients.of(predictions.table["patient_id"].tolist())
    hit = predictions.decisions == predictions.target
    found: list[Subgroup] = []
    for column, words in COLUMNS.items():
        if column in rows:
            parts = list(_parts(_in_bands(rows[column]) if column == "age_years" else rows[column]))
            if len(parts) > 1:
                found += [_measure(words, value, inside, hit, predictions, patients) for value, inside in parts]
    return tuple(found)


def _measure(
    words: str, value: str, inside: np.ndarray, hit: np.ndarray, predictions: Predictions, patients: Patients
) -> Subgroup:
    k, n = int((hit & inside).sum()), int(inside.sum())
    low, high, _basis = share_interval(hit, patients, inside)
    counts = predictions.table["target"][inside].value_counts()
    classes = {label: int(counts[label]) for label in predictions.labels if label in counts}
    return Subgroup(words, value, n, patients.among(inside), Estimate(k / n, low, high, k, n), classes)


def _parts(column: pd.Series) -> Iterator[tuple[str, np.ndarray]]:
    known = column.dropna().astype(str)
    counts = known[known.str.strip() != ""].value_counts()
    values = sorted(counts[counts >= FEWEST].index, key=lambda value: (-int(counts[value]), value))[:MOST]
    for value in sorted(values):
        yield value, (column.astype(str) == value).to_numpy(bool) & column.notna().to_numpy(bool)


def _in_bands(ages: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(ages, errors="coerce").to_numpy(float)
    edges = (0, *AGES)
    names = [f"{low} to {high - 1}" for low, high in zip(edges, AGES, strict=False)] + [f"{AGES[-1]} and older"]
    place = np.digitize(np.nan_to_num(numbers, nan=0.0), AGES)
    values = [names[band] if known else None for band, known in zip(place, np.isfinite(numbers), strict=True)]
    return pd.Series(values, index=ages.index, dtype=object)
