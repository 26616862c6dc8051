"""Kernel density of embeddings, exact: every training point counts for every image.

scikit-learn's `KernelDensity` sums over a tree. In high dimensions the tree's bounds on what it leaves out are no
bounds any more, and its log densities are wrong by up to hundreds of nats (`tests/inspection/anomaly/test_density.py`
holds the installed version to that). A plain sum costs a matrix product and is right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hilum.inspection.anomaly.distances import BLOCK, squared_distances
from hilum.inspection.anomaly.scaling import Scaling, find_components, find_spread

BANDWIDTHS = np.geomspace(0.1, 3.0, 18)
"""Standard deviations among which `likeliest_bandwidth` chooses."""


def log_density(points: np.ndarray, centres: np.ndarray, bandwidth: float) -> np.ndarray:
    """Logarithm of a Gaussian kernel density estimate.

    log p(x) = log sum_i exp(-|x - c_i|^2 / (2 h^2)) - log N - D / 2 log(2 pi h^2), with the largest exponent taken out
    of the sum, so that nothing underflows however far a point lies.

    Args:
        points: `[M, D]`.
        centres: `[N, D]`, what the density is estimated from.
        bandwidth: h, standard deviation of the kernel, above 0.

    Returns:
        float64 `[M]`, in nats.
    """
    dims, count = centres.shape[1], len(centres)
    middle = centres.mean(axis=0, dtype=np.float64)  # the shorter the vectors, the smaller the rounding
    asked, kept = (_in_bandwidths(each, middle, bandwidth) for each in (points, centres))
    # -|x - c|^2 / 2 = x c - |c|^2 / 2 - |x|^2 / 2, whose last part is the same for every centre.
    halves, own = (np.einsum("nd,nd->n", each, each) / 2 for each in (kept, asked))
    rows = max(1, BLOCK // max(1, count))
    block, found = np.empty((min(rows, len(asked)), count)), np.empty(len(asked))  # one block: new pages cost as much
    for start in range(0, len(asked), rows):
        some = asked[start : start + rows]
        exponents = np.matmul(some, kept.T, out=block[: len(some)])
        exponents -= halves
        found[start : start + rows] = _logsumexp(exponents)
    return found - own - math.log(count) - dims / 2 * math.log(2 * math.pi * bandwidth**2)


def _in_bandwidths(rows: np.ndarray, middle: np.ndarray, bandwidth: float) -> np.ndarray:
    moved = np.subtract(rows, middle, dtype=np.float64)
    moved /= bandwidth
    return moved


def scott_bandwidth(count: int, dims: int) -> float:
    """Scott's rule for standardised points: N^(-1 / (D + 4)) (Scott 1992, Multivariate Density Estimation)."""
    return float(count ** (-1 / (dims + 4)))


def likeliest_bandwidth(points: np.ndarray) -> float:
    """Of `BANDWIDTHS` the one under which each point is likeliest given all the others; no abnormal image is needed.

    Args:
        points: standardised, `[N, D]`, N at least 2.
    """
    square = np.concatenate(list(squared_distances(points.astype(np.float64), points.astype(np.float64))))
    np.fill_diagonal(square, np.inf)
    dims = points.shape[1]
    likely = [
        float(_logsumexp(square / (-2 * width**2)).mean()) - dims * math.log(width) for width in BANDWIDTHS.tolist()
    ]
    return float(BANDWIDTHS[int(np.argmax(likely))])


@dataclass(frozen=True)
class KernelDensity:
    """How rare an embedding is among those of normal images.

    Args:
        scaling: what brings embeddings to standard deviations.
        centres: scaled embeddings of normal images, float32 `[N, C]`.
        bandwidth: of the kernel, standard deviations.
    """

    scaling: Scaling
    centres: np.ndarray
    bandwidth: float

    @classmethod
    def fit(cls, normal: np.ndarray, *, bandwidth: float | None = 0.0, components: int | None = None) -> KernelDensity:
        """Remembers normal embeddings `[N, D]`.

        Args:
            bandwidth: standard deviations; 0 takes Scott's rule, None the likeliest.
            components: principal components that are kept; None keeps every number as it is, only scaled.
        """
        scaling = find_spread(normal) if components is None else find_components(normal, components)
        centres = scaling(normal)
        if bandwidth is None:
            bandwidth = likeliest_bandwidth(centres)
        return cls(scaling, centres, bandwidth or scott_bandwidth(*centres.shape))

    def score(self, embedding: np.ndarray) -> np.ndarray:
        """embedding `[M, D]` -> minus the log density, in nats, float64 `[M]`: larger is stranger."""
        return -log_density(self.scaling(embedding), self.centres, self.bandwidth)


def _logsumexp(exponents: np.ndarray) -> np.ndarray:
    """Of each row of `[M, N]`, which is overwritten."""
    highest = exponents.max(axis=1)
    exponents -= highest[:, None]
    # Below exp(-708) numbers lose digits, and the processor takes ten times as long; e^-700 adds nothing to a 1.
    np.maximum(exponents, -700, out=exponents)
    return highest + np.log(np.exp(exponents, out=exponents).sum(axis=1))
