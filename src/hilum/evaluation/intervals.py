"""Intervals for figures of clustered images. Which one is used for what, and why, is measured in
`docs/decisions/0003-patient-level-intervals.md`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from hilum.evaluation.bootstrap import Patients

PRIOR_ERRORS = 2.0
"""How many wrong images it takes to outweigh the prior that the images of a patient stand and fall together."""


class Interval(NamedTuple):
    """Two ends and, in words, what they rest on."""

    low: float
    high: float
    basis: str = ""


UNDEFINED = Interval(float("nan"), float("nan"), "not defined")


def exact_interval(k: float, n: float, level: float = 0.95) -> Interval:
    """Clopper-Pearson interval of a share; `n` may be an effective number."""
    if n <= 0:
        return UNDEFINED
    tail = (1 - level) / 2
    low = special.betaincinv(k, n - k + 1, tail) if k > 0 else 0.0
    high = special.betaincinv(k + 1, n - k, 1 - tail) if k < n else 1.0
    return Interval(float(low), float(high), f"exact binomial interval on {n:.0f} patients")


def wilson_interval(share: float, n: float, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share of `n` (perhaps effective) images."""
    if n <= 0:
        return UNDEFINED
    z2 = normal_quantile(level) ** 2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return Interval(float(middle - half), float(middle + half), f"Wilson interval on {n:.0f} images")


def share_interval(hit: np.ndarray, patients: Patients, inside: np.ndarray, level: float = 0.95) -> Interval:
    """Interval of the share of hits among some images.

    Wilson's interval on the effective number of images, that is their number divided by the design effect of the
    patients; with no hit or no miss, the exact binomial interval on the effective number of patients. Where every image
    is a patient of its own this is the plain Wilson, or Clopper-Pearson, interval.

    Args:
        hit: bool `[N]`.
        inside: bool `[N]`, the images of the denominator.
    """
    n, k = int(inside.sum()), int((hit & inside).sum())
    if n == 0:
        return UNDEFINED
    if k in (0, n):
        worth = patients.effective(inside)
        return exact_interval(worth if k else 0, worth, level)
    worth = n / design_effect(hit[inside], patients.index[inside])
    low, high, basis = wilson_interval(k / n, worth, level)
    kind = basis if worth > n - 0.5 else basis.replace("images", "effective images")
    return Interval(low, high, kind)


def design_effect(hit: np.ndarray, patient: np.ndarray) -> float:
    """How many times the variance of a share is what independent images would give; at least 1.

    The linearised (ratio) estimate, drawn towards the largest possible effect by the weight of `PRIOR_ERRORS` wrong
    images: with one or two errors the data cannot show that errors cluster.

    Args:
        hit: bool `[M]`, some true and some false.
        patient: int `[M]`.
    """
    _, index = np.unique(patient, return_inverse=True)
    sizes, hits = np.bincount(index).astype(np.float64), np.bincount(index, weights=hit)
    n, m, share = len(hit), len(sizes), float(hit.mean())
    if m == n:
        return 1.0
    if m == 1:
        return float(n)
    largest = (sizes**2).sum() / n
    seen = m / (m - 1) * ((hits - share * sizes) ** 2).sum() / (n * share * (1 - share))
    errors = min(hits.sum(), n - hits.sum())
    return max(1.0, float((errors * seen + PRIOR_ERRORS * largest) / (errors + PRIOR_ERRORS)))


def bounded_interval(
    value: float,
    replicates: np.ndarray,
    *,
    patients: int,
    floor: float = 1.0,
    ceiling: float = 0.0,
    lowest: float = 0.0,
    level: float = 0.95,
) -> Interval:
    """Interval of a figure that cannot leave [lowest, 1], from the spread of its bootstrap replicates.

    Student's t times the replicates' standard deviation on the logit scale, and never tighter than what a perfect (or a
    perfectly wrong) score on as many patients would get: a bootstrap of a perfect score has no spread at all.

    Args:
        value: the figure.
        replicates: `[R]`; NaN where a replicate does not define it.
        patients: of the smallest group that the figure needs; degrees of freedom are one fewer.
        floor: lower end that a perfect score would get.
        ceiling: upper end that the lowest possible score would get.
    """
    if not np.isfinite(value):
        return UNDEFINED
    if patients < 2:
        return Interval(lowest, 1.0, "one patient: anything is possible")
    low = high = value
    share, spread = (value - lowest) / (1 - lowest), _spread(replicates) / (1 - lowest)
    if 0 < share < 1 and spread > 0:
        reach = student_quantile(level, patients - 1) * spread / (share * (1 - share))
        ends = special.expit(special.logit(share) + np.array([-reach, reach]))
        low, high = (float(lowest + (1 - lowest) * end) for end in ends)
    basis = "patient-level bootstrap, {replicates} replicates, logit scale"
    if low > floor or high < ceiling:
        basis += ", no tighter than a perfect score allows"
    return Interval(min(low, floor), max(high, ceiling), basis.format(replicates=len(replicates)))


def positive_interval(value: float, replicates: np.ndarray, *, patients: int, level: float = 0.95) -> Interval:
    """Interval of a mean loss, which is positive and has no upper bound: as above, on the scale of the logarithm."""
    if not np.isfinite(value) or patients < 2:
        return UNDEFINED
    reach = student_quantile(level, patients - 1) * _spread(replicates) / value if value > 0 else 0.0
    basis = f"patient-level bootstrap, {len(replicates)} replicates, log scale"
    return Interval(float(value * np.exp(-reach)), float(value * np.exp(reach)), basis)


def reflected_interval(value: float, replicates: np.ndarray, *, patients: int, level: float = 0.95) -> Interval:
    """Interval of the expected calibration error, which comes out too high in a sample and higher still in a resample:
    the upper percentile of the replicates, and its reflection at the value.
    """
    if not np.isfinite(value) or patients < 2:
        return UNDEFINED
    high = max(value, percentile_interval(replicates, level).high)
    basis = f"patient-level bootstrap, {len(replicates)} replicates, upper percentile and its reflection"
    return Interval(max(0.0, 2 * value - high), high, basis)


def percentile_interval(replicates: np.ndarray, level: float = 0.95) -> Interval:
    """Percentiles of bootstrap replicates `[R]`, of those that are defined; for differences and bands."""
    defined = replicates[np.isfinite(replicates)]
    if not len(defined):
        return UNDEFINED
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), f"patient-level bootstrap, {len(replicates)} replicates, percentiles")


def difference_interval(
    first: tuple[float, float, float], second: tuple[float, float, float], correlation: float
) -> Interval:
    """Interval of first minus second, from the interval of each and the correlation of their errors.

    The method of variance estimates recovery of Zou and Donner (Statistics in Medicine 2008, 27:1693), which for two
    shares of the same images is Newcombe's (1998, 17:2635, method 10): it keeps the skew that intervals have near 1,
    where a bootstrap of two nearly perfect models has no width.

    Args:
        first, second: a figure, the lower and the upper end of its interval.
        correlation: in [-1, 1]; NaN, where one of them does not vary, counts as 0.
    """
    (a, a_low, a_high), (b, b_low, b_high) = first, second
    if not np.isfinite([*first, *second]).all():
        return UNDEFINED
    r = correlation if np.isfinite(correlation) else 0.0
    ends = ((a - a_low, b_high - b), (a_high - a, b - b_low))
    down, up = (float(np.sqrt(max(x * x + y * y - 2 * r * x * y, 0.0))) for x, y in ends)
    return Interval(a - b - down, a - b + up, "from the intervals of both and the correlation of their errors")


def perfect_ranking_floor(positives: float, negatives: float, level: float = 0.95) -> float:
    """Smallest AUROC at which a perfect ranking would still be no surprise.

    Solves 1 - A = z * SE(A) with Hanley and McNeil's standard error in Newcombe's form (Statistics in Medicine 2006,
    25:559, method 5); z is one-sided, since a perfect score has only one side to be wrong on.

    Args:
        positives, negatives: (effective) patients on either side.
    """
    if min(positives, negatives) <= 0:
        return 0.0
    z2, extra = float(special.ndtri(level)) ** 2, max(0.0, (positives + negatives) / 2 - 1)
    low, high = 0.0, 1.0
    for _ in range(60):
        a = (low + high) / 2
        variance = a * (1 + extra * ((1 - a) / (2 - a) + a / (1 + a))) / (positives * negatives)  # over 1 - A
        low, high = (a, high) if 1 - a > z2 * variance else (low, a)
    return low


def normal_quantile(level: float) -> float:
    """1.96 for 0.95."""
    return float(special.ndtri((1 + level) / 2))


def student_quantile(level: float, freedom: float) -> float:
    """As `normal_quantile`, of Student's t."""
    return float(special.stdtrit(freedom, (1 + level) / 2))


def _spread(replicates: np.ndarray) -> float:
    defined = replicates[np.isfinite(replicates)]
    spread = float(defined.std()) if len(defined) > 1 else 0.0
    # Rounding alone makes replicates of one and the same number differ in the last digits.
    return spread if spread > 1e-12 else 0.0
