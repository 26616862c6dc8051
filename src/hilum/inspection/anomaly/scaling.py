"""Embeddings brought to standard deviations: each number by itself, or along principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scaling:
    """A linear map of embeddings.

    Args:
        mean: `[D]`, taken off first.
        matrix: `[D, C]`, or `[D]` for a factor of each number by itself.
    """

    mean: np.ndarray
    matrix: np.ndarray

    def __call__(self, embedding: np.ndarray) -> np.ndarray:
        """embedding `[M, D]` -> float32 `[M, C]`."""
        moved = embedding.astype(np.float32, copy=False) - self.mean
        return moved * self.matrix if self.matrix.ndim == 1 else moved @ self.matrix


def find_spread(normal: np.ndarray) -> Scaling:
    """Each number to mean 0 and standard deviation 1; one that never changes is left out of every distance."""
    mean, spread = normal.mean(axis=0, dtype=np.float64), normal.std(axis=0, dtype=np.float64)
    factor = np.where(spread > 1e-6 * max(float(spread.max(initial=0)), 1e-12), 1 / np.maximum(spread, 1e-12), 0.0)
    return Scaling(mean.astype(np.float32), factor.astype(np.float32))


def find_components(normal: np.ndarray, components: int) -> Scaling:
    """The strongest principal components, each to standard deviation 1.

    Args:
        normal: `[N, D]`.
        components: at most so many; fewer where N or D allows no more, or where a component has no spread.
    """
    mean = normal.mean(axis=0, dtype=np.float64)
    moved = (normal - mean).astype(np.float64)
    if len(moved) < moved.shape[1]:  # the smaller of the two symmetric matrices has the same spectrum
        values, left = np.linalg.eigh(moved @ moved.T)
        axes = moved.T @ left / np.sqrt(np.maximum(values, 1e-30))
    else:
        values, axes = np.linalg.eigh(moved.T @ moved)
    order = np.argsort(values)[::-1][: min(components, len(moved) - 1)]
    order = order[values[order] > 1e-9 * max(values.max(initial=0), 1e-30)]
    spread = np.sqrt(values[order] / max(len(moved) - 1, 1))
    return Scaling(mean.astype(np.float32), (axes[:, order] / spread).astype(np.float32))
