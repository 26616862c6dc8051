"""Distance to the nearest normal training images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilum.inspection.anomaly.distances import squared_distances
from hilum.inspection.anomaly.scaling import Scaling, find_spread

NEAREST = 5


@dataclass(frozen=True)
class NearestNormals:
    """The mean distance to the k nearest normal images.

    Args:
        scaling: each number to standard deviation 1.
        centres: scaled normal embeddings, float32 `[N, D]`.
        k: how many of them count.
    """

    scaling: Scaling
    centres: np.ndarray
    k: int = NEAREST

    @classmethod
    def fit(cls, normal: np.ndarray, *, k: int = NEAREST) -> NearestNormals:
        """Remembers normal embeddings `[N, D]`; k is N where there are fewer."""
        scaling = find_spread(normal)
        return cls(scaling, scaling(normal), min(k, len(normal)))

    def score(self, embedding: np.ndarray) -> np.ndarray:
        """embedding `[M, D]` -> mean distance to the k nearest, float64 `[M]`."""
        blocks = squared_distances(self.scaling(embedding), self.centres)
        parts = [np.sqrt(np.partition(block, self.k - 1, axis=1)[:, : self.k]).mean(axis=1) for block in blocks]
        return np.concatenate([np.empty(0), *parts]).astype(np.float64)
