"""A map of embeddings on paper (t-SNE, UMAP, PCA), and a figure for what such a map only seems to show.

Points that lie together on a t-SNE map need not lie together in the embedding, and clusters of training images show
what was learned by heart. The purity says it in a number: of the nearest training images of other patients, how many
share the label, beside what shuffled labels would give.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hilum.errors import DataError, HilumError, UsageError
from hilum.evaluation.bootstrap import Patients, bootstrap
from hilum.evaluation.intervals import bounded_interval, exact_interval
from hilum.evaluation.values import Estimate
from hilum.inspection.neighbors import find_neighbors

METHODS = ("tsne", "umap", "pca")
COMPONENTS = 50
NEIGHBORS = 10
SHUFFLES = 200
EXACT, MANY, BOX = 20_000, 2_000, 2
"""For t-SNE. Up to so many images their neighbours are found exactly, which is faster than openTSNE's trees; from so
many on the forces are interpolated, in boxes so wide on the map (openTSNE: from 10,000 on, and 1): 5,840 drawn
embeddings take 8 seconds of a processor in place of 23, and of the 30 nearest either map keeps 36 %."""


@dataclass(frozen=True)
class Projection:
    """Points on paper.

    Args:
        points: float32 `[N, 2]`, centred, the larger spread within [-1, 1].
        method: one of `METHODS`.
        settings: what it takes to draw it again: seed, perplexity, components, versions.
    """

    points: np.ndarray
    method: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Purity:
    """How far neighbours share their label.

    Args:
        estimate: mean over the classes of the share of neighbours with the same label, with a patient-level interval.
        by_chance: the same with the labels of the neighbours shuffled: mean, and the middle 95 % of the shuffles.
        images, neighbors: how many images were asked, and how many neighbours of each.
    """

    estimate: Estimate
    by_chance: Estimate
    images: int
    neighbors: int


def principal_components(matrix: np.ndarray, count: int = COMPONENTS) -> tuple[np.ndarray, float]:
    """The leading principal components of centred rows, float32 `[N, C]`, and their share of the variance.

    Args:
        matrix: `[N, D]`.
        count: at most min(N, D).
    """
    from scipy.linalg import eigh

    centred = np.asarray(matrix, np.float64) - np.mean(matrix, axis=0, dtype=np.float64)
    scatter = centred.T @ centred
    dims = len(scatter)
    variances, axes = eigh(scatter, subset_by_index=(dims - min(count, *matrix.shape), dims - 1), check_finite=False)
    variances, axes = variances[::-1].clip(0), axes[:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])  # the sign is not left to chance
    total = np.trace(scatter)
    return (centred @ axes).astype(np.float32), min(1.0, float(variances.sum() / total)) if total else 1.0


def project(
    matrix: np.ndarray, *, method: str = "tsne", seed: int = 0, perplexity: float = 30.0, components: int = COMPONENTS
) -> Projection:
    """Embeddings as points on paper; the same on every machine of a kind for the same seed.

    Args:
        matrix: `[N, D]`, N at least 5.
        method: `tsne` (openTSNE on the principal components), `umap` (needs the extra `umap`), or `pca`.
        perplexity: of t-SNE, lowered to (N - 1) / 3 where there are few images; for UMAP the number of neighbours.

    Raises:
        UsageError: an unknown method, or too few images.
        DataError: a network that makes the same of every image.
        HilumError: a package that is not installed.
    """
    if method not in METHODS:
        raise UsageError("--method", expected=f"one of {', '.join(METHODS)}", found=method)
    if len(matrix) < 5:
        raise UsageError("a map of embeddings", expected="at least 5 images", found=str(len(matrix)))
    reduced, kept = principal_components(matrix, components)
    if not np.ptp(reduced, axis=0).any():
        raise DataError("a map of embeddings", expected="embeddings that differ", found="the same one for every image")
    perplexity = float(min(perplexity, (len(matrix) - 1) / 3))
    settings: dict[str, Any] = {"seed": seed, "components": reduced.shape[1], "variance_kept": round(kept, 4)}
    if method == "pca":
        return Projection(_framed(reduced[:, :2]), method, settings)
    if method == "umap":
        points, version = _umap(reduced, seed, round(perplexity))
        return Projection(_framed(points), method, {**settings, "neighbors": round(perplexity), "version": version})
    points, version = _tsne(reduced, seed, perplexity)
    return Projection(_framed(points), method, {**settings, "perplexity": perplexity, "version": version})


def _tsne(reduced: np.ndarray, seed: int, perplexity: float) -> tuple[np.ndarray, str]:
    try:
        import openTSNE
    except ImportError:
        way_out = "pip install openTSNE, or --method pca."
        raise HilumError("t-SNE", expected="the package openTSNE", found="none", way_out=way_out) from None
    made = openTSNE.TSNE(
        perplexity=perplexity,
        random_state=seed,
        n_jobs=1,
        initialization="pca",
        neighbors="exact" if len(reduced) <= EXACT else "auto",
        negative_gradient_method="fft" if len(reduced) >= MANY else "auto",
        ints_in_interval=BOX,
    ).fit(reduced)
    return np.asarray(made), f"openTSNE {openTSNE.__version__}"


def _umap(reduced: np.ndarray, seed: int, neighbors: int) -> tuple[np.ndarray, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)  # that there is no TensorFlow, for a network not used here
            import umap
    except ImportError:
        way_out = "pip install 'hilum[umap]', or --method tsne."
        raise HilumError("UMAP", expected="the package umap-learn", found="none", way_out=way_out) from None
    made = umap.UMAP(n_neighbors=max(2, neighbors), random_state=seed, n_jobs=1).fit_transform(reduced)
    return np.asarray(made), f"umap-learn {umap.__version__}"


def _framed(points: np.ndarray) -> np.ndarray:
    points = np.asarray(points, np.float64)
    if points.shape[1] < 2:
        points = np.column_stack([points[:, 0], np.zeros(len(points))])
    low, high = points.min(0), points.max(0)
    return ((points - (low + high) / 2) / ((high - low).max() / 2 or 1.0)).astype(np.float32)


def neighborhood_purity(
    index: np.ndarray,
    index_labels: Sequence[str],
    index_patients: Sequence[str],
    queries: np.ndarray,
    labels: Sequence[str],
    patients: Sequence[str],
    *,
    k: int = NEIGHBORS,
    seed: int = 0,
    replicates: int = 1000,
) -> Purity:
    """Of the k nearest of an index that are of other patients, how many share the label: mean over the classes.

    The index may be the queries themselves: an image is never its own neighbour, being of its own patient.

    Args:
        index, queries: `[N, D]` and `[Q, D]`.
        k: fewer where the index has fewer images of other patients.
    """
    positions, among = _of_other_patients(index, np.asarray(index_patients), queries, np.asarray(patients), k)
    code = {name: number for number, name in enumerate(sorted(set(labels) | set(index_labels)))}
    known, asked = (np.array([code[name] for name in each]) for each in (index_labels, labels))
    shares = _shares(known, positions, among, asked)
    generator = np.random.default_rng(seed)
    shuffled = [
        _balanced(_shares(generator.permutation(known), positions, among, asked), asked) for _ in range(SHUFFLES)
    ]
    low, high = np.quantile(shuffled, [0.025, 0.975])
    chance = Estimate(float(np.mean(shuffled)), float(low), float(high))
    found = _balanced_estimate(shares, asked, Patients.of(list(patients)), seed, replicates)
    return Purity(found, chance, len(queries), positions.shape[1])


def _balanced_estimate(
    shares: np.ndarray, asked: np.ndarray, patients: Patients, seed: int, replicates: int
) -> Estimate:
    """The mean over the classes of the means of shares `[Q]`, with a patient-level interval."""
    value, classes = _balanced(shares, asked), np.unique(asked)

    def figures(weights: np.ndarray) -> dict[str, np.ndarray]:
        parts = [(weights[:, asked == each], shares[asked == each]) for each in classes]
        means = [(part * own).sum(1) / np.where(part.sum(1) > 0, part.sum(1), np.nan) for part, own in parts]
        return {"purity": np.nanmean(np.stack(means), axis=0)}

    spread = bootstrap(figures, patients, replicates=replicates, seed=seed)["purity"]
    smallest = min(patients.among(asked == each) for each in classes)
    # Where every neighbourhood is pure, or none is, the replicates have no spread: what so many patients could hide.
    floor = exact_interval(smallest, smallest).low if value == 1 else 1.0
    ceiling = exact_interval(0, smallest).high if value == 0 else 0.0
    interval = bounded_interval(value, spread, patients=smallest, floor=floor, ceiling=ceiling)
    return Estimate(value, interval.low, interval.high)


def _of_other_patients(
    index: np.ndarray, index_patients: np.ndarray, queries: np.ndarray, patients: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions `[Q, k]` of the nearest of other patients, and whether there is one in each place."""
    most = int(max(np.unique(index_patients, return_counts=True)[1].max(), 1))
    found = find_neighbors(index, queries, min(k + most, len(index))).positions
    other = index_patients[found] != patients[:, None]
    order = np.argsort(~other, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(found, order, 1), np.take_along_axis(other, order, 1)


def _shares(known: np.ndarray, positions: np.ndarray, among: np.ndarray, asked: np.ndarray) -> np.ndarray:
    same = (known[positions] == asked[:, None]) & among
    return same.sum(1) / np.maximum(among.sum(1), 1)


def _balanced(shares: np.ndarray, asked: np.ndarray) -> float:
    return float(np.mean([shares[asked == each].mean() for each in np.unique(asked)]))
