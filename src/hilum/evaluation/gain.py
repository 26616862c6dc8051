"""What one way of predicting gains over another on the same images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hilum.evaluation.bootstrap import Patients, resampled
from hilum.evaluation.values import Estimate


def paired_gain(
    first: np.ndarray,
    second: np.ndarray,
    patient_ids: Sequence,
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """Mean over images of `second - first`, with a patient-level bootstrap interval.

    Both are of the same images, so the difference is taken image by image before anything is resampled: what both get
    wrong does not widen the interval.

    Args:
        first, second: float `[N]`, a figure of each image, say 1.0 where it was called right.
        patient_ids: `[N]`; a blank one is a patient of its own.
        seed, replicates: of the bootstrap.
        level: coverage, in (0, 1).
    """
    difference = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    patients = Patients.of(list(patient_ids))
    drawn = np.concatenate(
        [
            weights @ difference / weights.sum(axis=1)
            for weights in resampled(patients, replicates=replicates, seed=seed)
        ]
    )
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(difference.mean()), float(low), float(high))
