"""Resampling whole patients: the images of a patient are not independent, patients are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

BLOCK = 1_000_000
"""Weights (replicates x images) held at a time, about 8 MB an array."""


@dataclass(frozen=True)
class Patients:
    """Which patient each image is of.

    Args:
        index: int `[N]` in [0, count).
        count: number of patients.
    """

    index: np.ndarray
    count: int

    @classmethod
    def of(cls, patient_ids: Sequence) -> Patients:
        """Numbers patients in the order of their ids; a blank id is a patient of its own."""
        ids = ["" if value is None or value != value else str(value).strip() for value in patient_ids]
        named, index = np.unique(np.array(ids, dtype=str), return_inverse=True)
        blank = np.array([not value for value in ids], dtype=bool)
        if blank.any():
            index = index - 1  # np.unique sorts the blank first
            index[blank] = len(named) - 1 + np.arange(blank.sum())
        return cls(index, len(named) - bool(blank.any()) + int(blank.sum()))

    def among(self, images: np.ndarray) -> int:
        """How many patients have an image in `images`, a bool `[N]`."""
        return len(np.unique(self.index[images]))

    def effective(self, images: np.ndarray) -> float:
        """Kish's effective number of patients among `images`: n^2 / (sum over patients of n_i^2).

        The number of patients when all have equally many images, fewer when a few patients have most of them; it is
        what a set is worth when the images of a patient stand and fall together.
        """
        sizes = np.bincount(self.index[images]).astype(np.float64)
        return float(sizes.sum() ** 2 / (sizes**2).sum()) if sizes.any() else 0.0


def resampled(patients: Patients, *, replicates: int, seed: int, block: int = BLOCK) -> Iterator[np.ndarray]:
    """How often each image is in each replicate.

    Every replicate draws as many patients as there are, with replacement, and takes all images of each. The same
    patients, replicates and seed give the same weights whatever the block, so that two models can be compared on the
    same replicates.

    Args:
        block: bound on the size of an array that is yielded; at least one replicate is.

    Yields:
        float64 `[R_i, N]`, whole numbers, `replicates` rows in all.
    """
    generator = np.random.default_rng(seed)
    rows = max(1, block // max(1, len(patients.index)))
    for start in range(0, replicates, rows):
        size = min(rows, replicates - start)
        drawn = generator.integers(patients.count, size=(size, patients.count))
        drawn += patients.count * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * patients.count).reshape(size, patients.count)
        yield np.take(times.astype(np.float64), patients.index, axis=1)


def bootstrap(
    figures: Callable[[np.ndarray], Mapping[str, np.ndarray]], patients: Patients, *, replicates: int, seed: int
) -> dict[str, np.ndarray]:
    """Figures of every replicate.

    Args:
        figures: weights `[R, N]` -> named arrays with R rows.

    Returns:
        name -> array with `replicates` rows.
    """
    blocks = [figures(weights) for weights in resampled(patients, replicates=replicates, seed=seed)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
