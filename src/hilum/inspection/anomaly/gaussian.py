"""Distance from the middle of the normal images, in units of how they vary (Mahalanobis)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilum.inspection.anomaly.scaling import Scaling, find_spread


@dataclass(frozen=True)
class Gaussian:
    """One normal distribution with a full covariance, shrunk as Ledoit and Wolf (2004) do.

    Args:
        scaling: each number to standard deviation 1 before the covariance is shrunk towards a round one.
        root: `[D, D]`, R with R R' = the inverse of the covariance.
        shrinkage: share of the round covariance, in [0, 1].
    """

    scaling: Scaling
    root: np.ndarray
    shrinkage: float

    @classmethod
    def fit(cls, normal: np.ndarray) -> Gaussian:
        """Fits normal embeddings `[N, D]`."""
        from sklearn.covariance import ledoit_wolf

        scaling = find_spread(normal)
        covariance, shrinkage = ledoit_wolf(scaling(normal).astype(np.float64), assume_centered=True)
        values, axes = np.linalg.eigh(covariance)
        return cls(scaling, (axes / np.sqrt(np.maximum(values, 1e-9))).astype(np.float32), float(shrinkage))

    def score(self, embedding: np.ndarray) -> np.ndarray:
        """embedding `[M, D]` -> Mahalanobis distance, float64 `[M]`."""
        turned = self.scaling(embedding) @ self.root
        return np.sqrt(np.einsum("md,md->m", turned, turned, dtype=np.float64))
