"""A memory of normal patches: an image is as strange as its strangest patch.

After PatchCore (Roth et al. 2022, Towards total recall in industrial anomaly detection): features of the middle of a
network, a coreset of the normal ones, the distance of each new patch to the nearest of them. Their re-weighting of the
image's score by the neighbours of that nearest patch is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilum.inspection.anomaly.distances import squared_distances

MEMORY = 2000
"""Patches that are remembered."""
CANDIDATES = 20_000
"""Patches that the coreset is chosen from, drawn by the seed."""
PROJECTED = 64
"""Numbers that a patch is projected to while the coreset is chosen: distances survive it, as in the paper."""


@dataclass(frozen=True)
class PatchMemory:
    """Patches of normal images that lie far apart.

    Args:
        patches: float32 `[K, D]`.
    """

    patches: np.ndarray

    @classmethod
    def fit(cls, normal: np.ndarray, *, size: int = MEMORY, seed: int = 0) -> PatchMemory:
        """Chooses a coreset.

        Args:
            normal: float32 `[N, P, D]`, P patches of each of N normal images.
            size: patches that are kept; all of them where there are no more.
        """
        patches = normal.reshape(-1, normal.shape[-1])
        generator = np.random.default_rng([seed, 71])
        if len(patches) > CANDIDATES:
            patches = patches[np.sort(generator.choice(len(patches), CANDIDATES, replace=False))]
        patches = np.ascontiguousarray(patches, np.float32)
        return cls(patches[find_coreset(patches, size, generator)])

    def distances(self, patches: np.ndarray) -> np.ndarray:
        """patches `[M, P, D]` -> distance of each to the nearest that is remembered, float32 `[M, P]`."""
        flat = np.ascontiguousarray(patches.reshape(-1, patches.shape[-1]), np.float32)
        nearest = [np.sqrt(block.min(axis=1)) for block in squared_distances(flat, self.patches)]
        return np.concatenate([np.empty(0, np.float32), *nearest]).reshape(patches.shape[:2])

    def score(self, patches: np.ndarray) -> np.ndarray:
        """patches `[M, P, D]` -> the largest distance of an image's patches, float64 `[M]`."""
        return self.distances(patches).max(axis=1).astype(np.float64)


def find_coreset(points: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """Positions of points that lie far apart: each next one is the farthest from all before (k-centre, greedy).

    Args:
        points: `[N, D]`.
        size: how many; all where there are no more.

    Returns:
        int64 `[min(size, N)]`, distinct as long as the points are.
    """
    if size >= len(points):
        return np.arange(len(points))
    low = points
    if points.shape[1] > PROJECTED:
        low = points @ generator.standard_normal((points.shape[1], PROJECTED)).astype(np.float32)
    chosen = np.empty(size, np.int64)
    chosen[0] = generator.integers(len(points))
    lengths = np.einsum("nd,nd->n", low, low)
    farthest = np.full(len(low), np.inf, low.dtype)
    for number in range(1, size):
        last = low[chosen[number - 1]]
        np.minimum(farthest, lengths - 2 * (low @ last) + last @ last, out=farthest)
        farthest[chosen[number - 1]] = -np.inf
        chosen[number] = int(farthest.argmax())
    return chosen
