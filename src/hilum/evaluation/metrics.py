"""Figures as pure functions on arrays, for one weighting of the images or for thousands at once.

Wherever `weights` is taken it is None (every image counts once), `[N]`, or `[R, N]` for R weightings; the result then
has no leading axis, none, or one of length R. Whole-number weights mean "this image so many times", which is what a
bootstrap needs; the definitions agree with scikit-learn's `sample_weight`. A figure that is not defined is NaN.
"""

from __future__ import annotations

import numpy as np

from hilum.evaluation.ranking import Ranking

ECE_BINS = 15
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)
"""The probability of the true class is not taken to be smaller than this in a log loss, so that it stays finite."""


def confusion_matrix(
    target: np.ndarray, decision: np.ndarray, num_classes: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Images by true class (rows) and decision (columns).

    Args:
        target: int `[N]`, positions of the true classes.
        decision: int `[N]`, positions of the called classes.

    Returns:
        float64 `[K, K]` or `[R, K, K]`.
    """
    cells = one_hot(np.asarray(target) * num_classes + np.asarray(decision), num_classes**2)
    sums = weighted_sums(cells, weights)
    return sums.reshape(*sums.shape[:-1], num_classes, num_classes)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of images called right. `confusion: [..., K, K]` -> `[...]`."""
    return divide(_hits(confusion).sum(axis=-1), confusion.sum(axis=(-2, -1)))


def sensitivity(confusion: np.ndarray) -> np.ndarray:
    """For each class the share of its images that were called it. `[..., K, K]` -> `[..., K]`."""
    return divide(_hits(confusion), confusion.sum(axis=-1))


def specificity(confusion: np.ndarray) -> np.ndarray:
    """For each class the share of the other classes' images that were not called it. `[..., K, K]` -> `[..., K]`."""
    others = confusion.sum(axis=(-2, -1))[..., None] - confusion.sum(axis=-1)
    return divide(others - (confusion.sum(axis=-2) - _hits(confusion)), others)


def ppv(confusion: np.ndarray) -> np.ndarray:
    """For each class the share of the images called it that are it (precision). `[..., K, K]` -> `[..., K]`."""
    return divide(_hits(confusion), confusion.sum(axis=-2))


def npv(confusion: np.ndarray) -> np.ndarray:
    """For each class the share of the images not called it that are not it. `[..., K, K]` -> `[..., K]`."""
    not_called = confusion.sum(axis=(-2, -1))[..., None] - confusion.sum(axis=-2)
    return divide(not_called - (confusion.sum(axis=-1) - _hits(confusion)), not_called)


def f1(confusion: np.ndarray) -> np.ndarray:
    """For each class the harmonic mean of sensitivity and PPV, 2 TP / (2 TP + FP + FN). `[..., K, K]` -> `[..., K]`."""
    return divide(2 * _hits(confusion), confusion.sum(axis=-1) + confusion.sum(axis=-2))


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Mean sensitivity of the classes that have images; `[..., K, K]` -> `[...]`."""
    each = sensitivity(confusion)
    return divide(np.nansum(each, axis=-1), np.isfinite(each).sum(axis=-1))


def kappa(confusion: np.ndarray) -> np.ndarray:
    """Cohen's kappa, unweighted: 0 is what the same margins give by chance, 1 is all right.

    `[..., K, K]` -> `[...]`.
    """
    total = confusion.sum(axis=(-2, -1))
    by_chance = divide((confusion.sum(axis=-1) * confusion.sum(axis=-2)).sum(axis=-1), total**2)
    return divide(accuracy(confusion) - by_chance, 1 - by_chance)


def auroc(score: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Area under the ROC curve: how often a positive image scores above a negative one, a tie counting half.

    Args:
        score: float `[N]`, higher for the positive class.
        positive: bool `[N]`.
    """
    return Ranking.of(score, positive).auroc(weights)


def auprc(score: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Average precision: over the positive images, the mean PPV of a threshold at their own score, not interpolated."""
    return Ranking.of(score, positive).auprc(weights)


def brier(target: np.ndarray, probs: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Brier score. Two classes: mean of (probability of the positive class - truth)^2, in [0, 1]. More: mean over
    images of the sum over classes of squared differences, in [0, 2].
    """
    return mean(squared_error(target, probs), weights)


def log_loss(target: np.ndarray, probs: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean of -ln(probability of the true class)."""
    return mean(surprise(target, probs), weights)


def ece(
    target: np.ndarray, probs: np.ndarray, weights: np.ndarray | None = None, *, bins: int = ECE_BINS
) -> np.ndarray:
    """Expected calibration error of the top label: confidences (the largest probability of each image) fall into `bins`
    bins of equal width, (0, 1/15], (1/15, 2/15], ...; |accuracy - mean confidence| of each, weighted by its images.
    """
    gaps = weighted_sums(calibration_gaps(target, probs, bins), weights)
    total = len(target) if weights is None else np.sum(weights, axis=-1)
    return divide(np.abs(gaps).sum(axis=-1), np.asarray(total, dtype=np.float64))


def squared_error(target: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Each image's part of the Brier score. `probs: [N, K]` -> `[N]`."""
    each = ((probs - one_hot(target, probs.shape[1])) ** 2).sum(axis=1)
    # The two squared differences of a binary vector are equal; the binary score counts one of them.
    return each / 2 if probs.shape[1] == 2 else each


def surprise(target: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Each image's part of the log loss. `probs: [N, K]` -> `[N]`."""
    return -np.log(np.maximum(probs[np.arange(len(target)), target], SMALLEST_PROBABILITY))


def calibration_bin(confidence: np.ndarray, bins: int) -> np.ndarray:
    """Which bin of equal width, closed above, a confidence in [0, 1] falls into: int `[N]` in [0, bins)."""
    # Rounded, so that 0.2 computed as 3/15 and as 1 - 0.8 fall into the same bin.
    return np.clip(np.ceil(np.round(np.asarray(confidence) * bins, 9)).astype(np.int64) - 1, 0, bins - 1)


def calibration_gaps(target: np.ndarray, probs: np.ndarray, bins: int = ECE_BINS) -> np.ndarray:
    """`[N, bins]`: confidence minus hit of each image, in the column of its bin."""
    confidence, hit = probs.max(axis=1), probs.argmax(axis=1) == target
    return one_hot(calibration_bin(confidence, bins), bins) * (confidence - hit)[:, None]


def one_hot(position: np.ndarray, columns: int) -> np.ndarray:
    """int `[N]` -> float64 `[N, columns]`."""
    table = np.zeros((len(position), columns))
    table[np.arange(len(position)), position] = 1
    return table


def weighted_sums(terms: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """`[N, T]` summed over images: `[T]`, or `[R, T]` by one matrix product."""
    return terms.sum(axis=0) if weights is None else np.asarray(weights, dtype=np.float64) @ terms


def mean(each: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Weighted mean of a number an image."""
    sums = weighted_sums(np.column_stack([each, np.ones(len(each))]), weights)
    return divide(sums[..., 0], sums[..., 1])


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient; NaN, not an error, where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def _hits(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)
