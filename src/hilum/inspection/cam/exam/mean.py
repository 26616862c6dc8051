"""The mean over images with its interval: every figure of the exam is one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hilum.evaluation.bootstrap import Patients, resampled
from hilum.evaluation.intervals import student_quantile
from hilum.evaluation.values import Estimate

REPLICATES = 400


def estimate_mean(values: np.ndarray, patient_ids: Sequence, *, seed: int = 0, level: float = 0.95) -> Estimate:
    """Mean of what is defined, with Student's t times the spread of a patient-level bootstrap.

    Args:
        values: float `[N]`; NaN where an image has no such figure.
        patient_ids: `[N]`.

    Returns:
        `n` is the number of images that count; without two patients the ends are NaN.
    """
    defined = np.isfinite(values)
    if not defined.any():
        return Estimate(float("nan"), float("nan"), float("nan"), None, 0)
    kept = values[defined].astype(np.float64)
    patients = Patients.of([each for each, use in zip(patient_ids, defined, strict=True) if use])
    if patients.count < 2:
        return Estimate(float(kept.mean()), float("nan"), float("nan"), None, len(kept))
    means = np.concatenate(
        [weights @ kept / weights.sum(axis=1) for weights in resampled(patients, replicates=REPLICATES, seed=seed)]
    )
    # A bootstrap of m patients spreads by sqrt((m - 1) / m) too little.
    spread = float(means.std()) * (patients.count / (patients.count - 1)) ** 0.5
    reach = student_quantile(level, patients.count - 1) * spread
    return Estimate(float(kept.mean()), float(kept.mean() - reach), float(kept.mean() + reach), None, len(kept))
