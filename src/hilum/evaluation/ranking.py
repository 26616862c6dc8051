"""Areas under the ROC and precision-recall curves for many weightings of the images from one sort of the scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ranking:
    """A score sorted once.

    With weights w, AUROC = sum over positive images i of w_i * (weight of the negatives below i + half the weight of
    those tied with i) / (W_pos * W_neg): after the sort only cumulative sums along the image axis are left, for all
    weightings together.

    Args:
        positives, negatives: images of either kind, int `[P]`, `[Q]`, by rising score.
        below, up_to: for each positive, how many negatives have a smaller score, and a smaller or equal one, int `[P]`.
        first_tied: for each positive, how many positives have a smaller score, int `[P]`.
    """

    positives: np.ndarray
    negatives: np.ndarray
    below: np.ndarray
    up_to: np.ndarray
    first_tied: np.ndarray

    @classmethod
    def of(cls, score: np.ndarray, positive: np.ndarray) -> Ranking:
        """Sorts.

        Args:
            score: float `[N]`, higher for the positive class.
            positive: bool `[N]`.
        """
        score, positive = np.asarray(score, dtype=np.float64), np.asarray(positive, dtype=bool)
        order = np.argsort(score, kind="stable")
        positives, negatives = order[positive[order]], order[~positive[order]]
        high, low = score[positives], score[negatives]
        return cls(
            positives,
            negatives,
            below=np.searchsorted(low, high, side="left"),
            up_to=np.searchsorted(low, high, side="right"),
            first_tied=np.searchsorted(high, high, side="left"),
        )

    def auroc(self, weights: np.ndarray | None = None) -> np.ndarray:
        """`weights: [R, N]` -> `[R]`; `[N]` or None -> a number; NaN where one kind has no weight."""
        return self.areas(weights)[0]

    def auprc(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Average precision, likewise."""
        return self.areas(weights)[1]

    def areas(self, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """AUROC and average precision together, which share their cumulative sums."""
        rows = np.atleast_2d(np.ones(len(self.positives) + len(self.negatives)) if weights is None else weights)
        own = np.take(rows, self.positives, axis=1).astype(np.float64, copy=False)
        negative = _running_sum(rows, self.negatives)
        total, others = own.sum(axis=1), negative[:, -1]
        with np.errstate(invalid="ignore", divide="ignore"):
            area = self._concordance(own, negative) / (total * others)
            precision = self._mean_precision(own, negative) / np.where(others + total > 0, total, np.nan)
        precision[total == 0] = np.nan
        many = weights is not None and np.ndim(weights) == 2
        return (area, precision) if many else (area[0], precision[0])

    def _concordance(self, own: np.ndarray, negative: np.ndarray) -> np.ndarray:
        beaten = np.take(negative, self.below, axis=1)
        if not np.array_equal(self.below, self.up_to):
            beaten = (beaten + np.take(negative, self.up_to, axis=1)) / 2
        return np.einsum("rp,rp->r", own, beaten)

    def _mean_precision(self, own: np.ndarray, negative: np.ndarray) -> np.ndarray:
        positive = _running_sum(own, slice(None))
        hits = positive[:, -1:] - np.take(positive, self.first_tied, axis=1)
        called = hits + negative[:, -1:] - np.take(negative, self.below, axis=1)
        # A positive without weight may be called by nobody: 0 / 0, and it counts for nothing.
        np.divide(hits, called, out=hits, where=called > 0)
        return np.einsum("rp,rp->r", own, hits)


def _running_sum(rows: np.ndarray, columns: np.ndarray | slice) -> np.ndarray:
    """`[R, 1 + len(columns)]`: sums over the first 0, 1, 2, ... of the given columns."""
    chosen = rows[:, columns]
    sums = np.zeros((len(rows), chosen.shape[1] + 1))
    np.cumsum(chosen, axis=1, out=sums[:, 1:])
    return sums
