"""Tests of two models on the same images. The images of a patient go together, so patients are what is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.ranking import Ranking


class McNemar(NamedTuple):
    """McNemar's test.

    Args:
        first_only: images that only the first model has right.
        second_only: images that only the second has right.
        exact: two-sided p-value, exact.
        mid: the same, counting half of the ties with what was seen; less cautious, and nearer to its promise.
    """

    first_only: int
    second_only: int
    exact: float
    mid: float


class DeLong(NamedTuple):
    """Two areas under the ROC curve and whether they differ.

    Args:
        first, second: the areas; with more than two classes the mean over classes, each against the rest.
        standard_error: of their difference.
        p: two-sided; 1 where the models rank the images alike.
    """

    first: float
    second: float
    standard_error: float
    p: float


def mcnemar(first: np.ndarray, second: np.ndarray, patients: Patients | None = None) -> McNemar:
    """Whether two models are right equally often.

    Under the hypothesis each patient's difference (images that only the first has right, less those that only the
    second has) is as likely to have the other sign; the p-value counts all signs. Where every image is a patient of its
    own this is the exact test of McNemar (1947), and `mid` the mid-p version of Fagerland et al. (BMC Med Res Methodol
    2013, 13:91).

    Args:
        first, second: bool `[N]`, whether each image is called right.
        patients: None counts every image as a patient.
    """
    first, second = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    each = first.astype(np.int64) - second.astype(np.int64)
    if patients is not None:
        each = np.bincount(patients.index, weights=each, minlength=patients.count).round().astype(np.int64)
    chance = _chance_of_sums(np.abs(each[each != 0]))
    seen, middle = abs(int(each.sum())), len(chance) // 2
    sums = np.abs(np.arange(len(chance)) - middle)
    exact, tied = float(chance[sums >= seen].sum()), float(chance[sums == seen].sum())
    return McNemar(int((first & ~second).sum()), int((second & ~first).sum()), min(1.0, exact), exact - tied / 2)


def _chance_of_sums(sizes: np.ndarray) -> np.ndarray:
    """Chance of each sum of `sizes` with random signs; position `sum(sizes)` is the sum 0. `[2 * sum(sizes) + 1]`"""
    total = int(sizes.sum())
    chance = np.zeros(2 * total + 1)
    chance[total] = 1.0
    for size in sizes:
        chance = (np.roll(chance, size) + np.roll(chance, -size)) / 2  # what would wrap around is 0
    return chance


def delong(first: np.ndarray, second: np.ndarray, target: np.ndarray, patients: Patients | None = None) -> DeLong:
    """Whether two models rank the images equally well.

    DeLong, DeLong and Clarke-Pearson (Biometrics 1988, 44:837), in the version of Obuchowski (Biometrics 1997, 53:567)
    that adds up what the images of a patient contribute. With more than two columns: the mean over classes that have
    images, each against the rest.

    Args:
        first, second: `[N]` scores of the positive class, or `[N, K]`, a column a class.
        target: bool `[N]`, or int `[N]` with columns.
        patients: None counts every image as a patient.
    """
    target = np.asarray(target)
    patients = patients or Patients(np.arange(len(target)), len(target))
    area, part = zip(
        *(_area_and_parts(np.asarray(scores), target, patients) for scores in (first, second)), strict=True
    )
    difference, error = area[0] - area[1], float(np.sqrt(((part[0] - part[1]) ** 2).sum()))
    if not np.isfinite(difference) or error <= 1e-12:
        p = 1.0 if abs(difference) <= 1e-12 or not np.isfinite(difference) else 0.0
        return DeLong(area[0], area[1], error, p)
    return DeLong(area[0], area[1], error, float(2 * special.ndtr(-abs(difference) / error)))


def _area_and_parts(scores: np.ndarray, target: np.ndarray, patients: Patients) -> tuple[float, np.ndarray]:
    if scores.ndim == 1:
        return _one_area(scores, target.astype(bool), patients)
    present = [each for each in range(scores.shape[1]) if 0 < (target == each).sum() < len(target)]
    found = [_one_area(scores[:, each], target == each, patients) for each in present]
    if not found:
        return float("nan"), np.zeros(patients.count)
    return float(np.mean([area for area, _ in found])), np.mean([part for _, part in found], axis=0)


def _one_area(score: np.ndarray, positive: np.ndarray, patients: Patients) -> tuple[float, np.ndarray]:
    """The area, and what each patient adds to its error: the squares of `[patients]` sum to the variance."""
    won, lost = _placements(score, positive), _placements(-score, ~positive)
    if not len(won) or not len(lost):
        return float("nan"), np.zeros(patients.count)
    area = float(won.mean())
    parts = np.zeros(patients.count)
    for values, index in ((won, patients.index[positive]), (lost, patients.index[~positive])):
        count = len(np.unique(index))
        correction = np.sqrt(count / (count - 1)) if count > 1 else 1.0
        parts += correction * np.bincount(index, weights=(values - area) / len(values), minlength=patients.count)
    return area, parts


def _placements(score: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """For each positive image, in the images' order, the share of the others that it outranks; ties count half."""
    ranking = Ranking.of(score, positive)
    values = np.empty(len(score))
    values[ranking.positives] = (ranking.below + ranking.up_to) / (2 * max(len(ranking.negatives), 1))
    return values[np.asarray(positive, dtype=bool)] if len(ranking.negatives) else np.empty(0)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's correction (Scand J Statist 1979, 6:65): p-values that hold for all tests together, in the given order."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected
