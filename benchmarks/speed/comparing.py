"""k-NN, kernel density and t-SNE: scikit-learn's way against hilum's, on embeddings that lie in clumps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from side_by_side import Row, time_in_turns

TRAIN, QUERIES = 5216, 624
NUMBERS = tuple(range(1, 26, 2))
"""Thirteen values of k; odd ones, so that two classes cannot tie."""


def _clumps(rows: int, dim: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """float32 `[N, dim]` around thirty centres, and two classes of them; most of the spread lies in forty directions,
    as that of real embeddings does."""
    generator, shared = np.random.default_rng(seed), np.random.default_rng(99)
    centres, directions = shared.normal(size=(30, 40)), shared.normal(size=(40, dim)) / 40**0.5
    group = generator.integers(30, size=rows)
    latent = generator.normal(size=(rows, 40)) + centres[group]
    points = latent @ directions + 0.1 * generator.normal(size=(rows, dim))
    return points.astype(np.float32), (group % 2).astype(np.int64)


def measure(repeats: int, quick: bool) -> Iterator[Callable[[], Row]]:
    """Three rows; a quick t-SNE is of 2,000 rows, which says little."""
    yield partial(_neighbors, repeats)
    yield partial(_density, repeats)
    yield partial(_map, 2000 if quick else TRAIN + QUERIES)


def _neighbors(repeats: int) -> Row:
    from sklearn.neighbors import KNeighborsClassifier

    from hilum.inspection.neighbors import NeighborSettings, decide, find_neighbors

    (index, targets), (queries, truth) = _clumps(TRAIN, 1280, 0), _clumps(QUERIES, 1280, 1)

    def usual() -> dict[int, float]:
        return {k: KNeighborsClassifier(k).fit(index, targets).score(queries, truth) for k in NUMBERS}

    def ours() -> dict[int, float]:
        found = find_neighbors(index, queries, max(NUMBERS))
        calls = {k: decide(found, targets, NeighborSettings(k), 2).argmax(1) for k in NUMBERS}
        return {k: float((call == truth).mean()) for k, call in calls.items()}

    one, other = usual(), ours()
    gap = max(abs(one[k] - other[k]) for k in NUMBERS)
    assert gap < 1e-9, f"k-NN: accuracies differ by {gap}"
    row = Row(
        f"k-NN, {len(NUMBERS)} values of k, {QUERIES} queries against {TRAIN} x 1,280",
        "a scikit-learn classifier for each k", "one exact search", unit="searches", aim=20,
        same="the same accuracy for each k",
    )  # fmt: skip
    return time_in_turns(row, usual, ours, count=1, repeats=repeats)


def _density(repeats: int) -> Row:
    from scipy.spatial.distance import cdist
    from scipy.special import logsumexp
    from sklearn.neighbors import KernelDensity

    from hilum.inspection.anomaly.density import log_density

    dims, width = 512, 0.7
    centres, points = _clumps(TRAIN, dims, 0)[0], _clumps(QUERIES, dims, 1)[0]
    exact = logsumexp(-(cdist(points.astype(float), centres.astype(float)) ** 2) / (2 * width**2), axis=1)
    exact -= np.log(len(centres)) + dims / 2 * np.log(2 * np.pi * width**2)

    def usual() -> np.ndarray:
        return KernelDensity(bandwidth=width).fit(centres).score_samples(points)

    def ours() -> np.ndarray:
        return log_density(points, centres, width)

    gap, theirs = float(np.abs(ours() - exact).max()), float(np.abs(usual() - exact).max())
    assert gap < 1e-4, f"kernel density: off by {gap:.1e} nats"
    row = Row(
        f"kernel density, {QUERIES} queries against {TRAIN} x {dims}", "scikit-learn score_samples", "log_density",
        unit="passes", aim=40,
        same=f"off a plain sum in float64 by {gap:.0e} nats (asserted 1e-4); scikit-learn by {theirs:.2g}",
    )  # fmt: skip
    return time_in_turns(row, usual, ours, count=1, repeats=repeats)


def _map(images: int) -> Row:
    from sklearn.manifold import TSNE

    from hilum.inspection.projection import project

    matrix, maps = _clumps(images, 1280, 0)[0], dict[str, np.ndarray]()

    def usual() -> None:
        maps["usual"] = TSNE(random_state=0, init="pca").fit_transform(matrix)

    def ours() -> None:
        maps["ours"] = project(matrix).points

    row = Row(
        f"t-SNE of {len(matrix)} x 1,280", "scikit-learn", "openTSNE on 50 principal components", unit="maps", aim=1.8,
        note="once each",
    )  # fmt: skip
    time_in_turns(row, usual, ours, count=1, repeats=1, warm_up=False)
    kept = {name: _kept(matrix, points) for name, points in maps.items()}
    assert kept["ours"] > kept["usual"] - 0.05, f"t-SNE: neighbours kept {kept}"
    row.same = f"of the 30 nearest of 500 points the map keeps {kept['ours']:.0%}, scikit-learn's {kept['usual']:.0%}"
    return row


def _kept(matrix: np.ndarray, points: np.ndarray, asked: int = 500, k: int = 30) -> float:
    """Share of the nearest in the embedding that are among the nearest on the map."""
    from hilum.inspection.neighbors import find_neighbors

    near, on_map = (find_neighbors(rows, rows[:asked], k).positions for rows in (matrix, np.float32(points)))
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(near.tolist(), on_map.tolist(), strict=True)]))
