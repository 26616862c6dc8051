"""All figures of a predictions table as one function of how much each image counts."""

from __future__ import annotations

import numpy as np

from hilum.evaluation import metrics
from hilum.evaluation.ranking import Ranking

SHARES = ("sensitivity", "specificity", "ppv", "npv")
PER_CLASS = (*SHARES, "f1", "auroc", "auprc")
OVERALL = ("accuracy", "balanced_accuracy", *PER_CLASS, "ece", "brier", "log_loss", "kappa")
AVERAGED = ("balanced_accuracy", *PER_CLASS)
"""Overall figures that are made of the classes' own."""


class Figures:
    """What is summed over images is one matrix product a weighting, what ranks them is sorted once.

    Args:
        target: int `[N]`.
        probs: float `[N, K]` in [0, 1]; a decision is the most probable class.
        positive: position of the class that overall figures are about, in a binary task; None averages over classes.
    """

    def __init__(self, target: np.ndarray, probs: np.ndarray, positive: int | None = None) -> None:
        self.target, self.probs, self.decision = target, probs, probs.argmax(axis=1)
        self.num_classes, self.positive = probs.shape[1], positive
        self.present = np.unique(target)
        """Classes that have images; an average over classes is over these."""
        self._rankings = [Ranking.of(probs[:, each], target == each) for each in range(self.num_classes)]
        self._terms = np.column_stack(
            [
                metrics.one_hot(target * self.num_classes + self.decision, self.num_classes**2),
                metrics.calibration_gaps(target, probs),
                metrics.squared_error(target, probs),
                metrics.surprise(target, probs),
            ]
        )

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """`weights: [R, N]` -> each of `OVERALL` `[R]`, and each of `PER_CLASS` as `class_NAME` `[R, K]`."""
        sums = weights @ self._terms
        cells, gaps, losses = np.split(sums, [self.num_classes**2, sums.shape[1] - 2], axis=1)
        confusion, total = cells.reshape(-1, self.num_classes, self.num_classes), cells.sum(axis=1)
        each = self._per_class(confusion, weights)
        return {
            "accuracy": metrics.accuracy(confusion),
            "balanced_accuracy": each["sensitivity"][:, self.present].mean(axis=1),
            **{name: self.overall(values) for name, values in each.items()},
            "ece": metrics.divide(np.abs(gaps).sum(axis=1), total),
            "brier": metrics.divide(losses[:, 0], total),
            "log_loss": metrics.divide(losses[:, 1], total),
            "kappa": metrics.kappa(confusion),
            **{f"class_{name}": values for name, values in each.items()},
        }

    def overall(self, values: np.ndarray) -> np.ndarray:
        """Of a figure of every class, `[..., K]`: the positive class's, or the mean over classes that have images."""
        return values[..., self.present].mean(axis=-1) if self.positive is None else values[..., self.positive]

    @property
    def confusion(self) -> np.ndarray:
        """Images, int64 `[K, K]`, rows true class, columns decision."""
        return metrics.confusion_matrix(self.target, self.decision, self.num_classes).astype(np.int64)

    def share(self, name: str, position: int) -> tuple[np.ndarray, np.ndarray]:
        """Of a class's share: which images are a hit, and which are in the denominator; both bool `[N]`."""
        is_it, called = self.target == position, self.decision == position
        return {
            "sensitivity": (called, is_it),
            "specificity": (~called, ~is_it),
            "ppv": (is_it, called),
            "npv": (~is_it, ~called),
        }[name]

    def _per_class(self, confusion: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
        areas = np.array([ranking.areas(weights) for ranking in self._rankings])  # [K, 2, R]
        return {
            "sensitivity": metrics.sensitivity(confusion),
            "specificity": metrics.specificity(confusion),
            "ppv": metrics.ppv(confusion),
            "npv": metrics.npv(confusion),
            "f1": metrics.f1(confusion),
            "auroc": areas[:, 0].T,
            "auprc": areas[:, 1].T,
        }
