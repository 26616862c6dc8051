"""Squared distances between two sets of points, exact, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 4_000_000
"""Distances held at a time: 32 MB in float64."""


def squared_distances(points: np.ndarray, centres: np.ndarray, *, block: int = BLOCK) -> Iterator[np.ndarray]:
    """Squared Euclidean distances of every point to every centre.

    Both are moved to the middle of the centres first: |x|^2 + |c|^2 - 2 x c loses digits where the points lie far from
    the origin.

    Args:
        points: `[M, D]`.
        centres: `[N, D]`.
        block: bound on the distances that are held at a time.

    Yields:
        `[M_i, N]`, never negative, in the order of the points; float32 where both are float32, else float64.
    """
    precision = np.float32 if points.dtype == centres.dtype == np.float32 else np.float64
    middle = centres.mean(axis=0, dtype=np.float64)
    kept = (centres - middle).astype(precision)
    lengths = np.einsum("nd,nd->n", kept, kept)
    rows = max(1, block // max(1, len(kept)))
    for start in range(0, len(points), rows):
        some = (points[start : start + rows] - middle).astype(precision)
        found = some @ kept.T
        found *= -2
        found += lengths
        found += np.einsum("md,md->m", some, some)[:, None]
        yield np.maximum(found, 0, out=found)
