"""The mean over images with its interval: every figure of the exam is one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hilum.evaluation.bootstrap import Patients, resampled
from hilum.evaluation.intervals import bounded_interval, share_interval, student_quantile
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
    kept, patients = _defined(values, patient_ids)
    if patients is None or patients.count < 2:
        mean = float(kept.mean()) if len(kept) else float("nan")
        return Estimate(mean, float("nan"), float("nan"), None, len(kept))
    # A bootstrap of m patients spreads by sqrt((m - 1) / m) too little.
    spread = float(_means(kept, patients, seed).std()) * (patients.count / (patients.count - 1)) ** 0.5
    reach = student_quantile(level, patients.count - 1) * spread
    return Estimate(float(kept.mean()), float(kept.mean() - reach), float(kept.mean() + reach), None, len(kept))


def estimate_share(values: np.ndarray, patient_ids: Sequence, *, seed: int = 0, level: float = 0.95) -> Estimate:
    """As `estimate_mean`, of values in [0, 1]: the interval stays there, and has a width where all values are alike.

    Of values that are all 0 or 1 it is that of a share, see `hilum.evaluation.intervals.share_interval`.
    """
    kept, patients = _defined(values, patient_ids)
    if patients is None or patients.count < 2:
        return estimate_mean(values, patient_ids, seed=seed, level=level)
    mean = float(kept.mean())
    if np.isin(kept, (0.0, 1.0)).all():
        found = share_interval(kept > 0, patients, np.ones(len(kept), bool), level)
    else:
        found = bounded_interval(mean, _means(kept, patients, seed), patients=patients.count, level=level)
    return Estimate(mean, found.low, found.high, None, len(kept))


def _defined(values: np.ndarray, patient_ids: Sequence) -> tuple[np.ndarray, Patients | None]:
    """The values that are numbers, and whose they are; None without any."""
    defined = np.isfinite(values)
    whose = [each for each, use in zip(patient_ids, defined, strict=True) if use]
    return values[defined].astype(np.float64), Patients.of(whose) if whose else None


def _means(kept: np.ndarray, patients: Patients, seed: int) -> np.ndarray:
    """The mean in each replicate of the bootstrap `[R]`."""
    return np.concatenate(
        [weights @ kept / weights.sum(axis=1) for weights in resampled(patients, replicates=REPLICATES, seed=seed)]
    )
