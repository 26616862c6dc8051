"""Every figure that a confusion matrix gives, under every averaging that a report may have meant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hilum.evaluation import metrics

PER_CLASS = {
    "sensitivity": metrics.sensitivity,
    "specificity": metrics.specificity,
    "ppv": metrics.ppv,
    "npv": metrics.npv,
    "f1": metrics.f1,
}
AVERAGINGS = ("macro", "weighted", "micro")
COMPUTABLE = ("accuracy", "error", "balanced_accuracy", "kappa", "mcc", *PER_CLASS)


def mcc(confusion: np.ndarray) -> np.ndarray:
    """Matthews correlation coefficient, of two classes or more (Gorodkin 2004). `[..., K, K]` -> `[...]`."""
    confusion = np.asarray(confusion, dtype=np.float64)
    true, called, n = confusion.sum(axis=-1), confusion.sum(axis=-2), confusion.sum(axis=(-2, -1))
    hits = np.trace(confusion, axis1=-2, axis2=-1)
    above = hits * n - (true * called).sum(axis=-1)
    below = np.sqrt((n**2 - (true**2).sum(axis=-1)) * (n**2 - (called**2).sum(axis=-1)))
    return metrics.divide(above, below)


def overs_of(metric: str, over: str, classes: Sequence[str]) -> tuple[str, ...]:
    """Which averagings a printed figure may have: the stated one, or all of them."""
    if metric not in PER_CLASS:
        return ("",)
    return (over,) if over else (*classes, *AVERAGINGS)


def figures_of(metric: str, over: str, confusion: np.ndarray, classes: Sequence[str]) -> list[np.ndarray]:
    """The figure, in each way in which packages compute it; they differ where a class is never called.

    Args:
        metric: one of `COMPUTABLE`.
        over: a class, `macro`, `weighted`, `micro`, or empty for figures without averaging.
        confusion: `[..., K, K]`, rows true.

    Returns:
        arrays `[...]`; NaN where a way gives nothing.
    """
    confusion = np.asarray(confusion, dtype=np.float64)
    if metric == "accuracy" or (over == "micro" and metric in ("sensitivity", "ppv", "f1")):
        return [metrics.accuracy(confusion)]
    if metric == "error":
        return [1 - metrics.accuracy(confusion)]
    if metric == "balanced_accuracy":
        return _macro(metrics.sensitivity(confusion))
    if metric == "kappa":
        return [metrics.kappa(confusion)]
    if metric == "mcc":
        return _or_zero(mcc(confusion))
    each = PER_CLASS[metric](confusion)
    if over == "macro":
        ways = _macro(each)
        return [*ways, _harmonic_of_means(confusion)] if metric == "f1" else ways
    if over == "weighted":
        weights = confusion.sum(axis=-1)
        return [metrics.divide((weights * np.nan_to_num(each)).sum(axis=-1), weights.sum(axis=-1))]
    if over == "micro":
        return [_micro_of_negatives(confusion)]
    return _or_zero(each[..., list(classes).index(over)])


def _or_zero(values: np.ndarray) -> list[np.ndarray]:
    return [values, np.nan_to_num(values)] if np.isnan(values).any() else [values]


def _macro(each: np.ndarray) -> list[np.ndarray]:
    counted = np.nan_to_num(each).mean(axis=-1)
    if not np.isnan(each).any():
        return [counted]
    return [counted, metrics.divide(np.nansum(each, axis=-1), np.isfinite(each).sum(axis=-1))]


def _harmonic_of_means(confusion: np.ndarray) -> np.ndarray:
    precision = np.nan_to_num(metrics.ppv(confusion)).mean(axis=-1)
    recall = np.nan_to_num(metrics.sensitivity(confusion)).mean(axis=-1)
    return metrics.divide(2 * precision * recall, precision + recall)


def _micro_of_negatives(confusion: np.ndarray) -> np.ndarray:
    """Specificity (and NPV, the same number) with true and false negatives of all classes put together."""
    n, classes = confusion.sum(axis=(-2, -1)), confusion.shape[-1]
    wrong = n - np.trace(confusion, axis1=-2, axis2=-1)
    return 1 - metrics.divide(wrong, (classes - 1) * n)
