"""The cheap classifier behind every probe: ridge regression, cross-validated by patient, with one factorisation a fold.

Shuffled labels are further right-hand sides of the same equations, so a p-value costs little more than the figure.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from hilum.audit.auroc import macro_auroc, macro_auroc_estimate
from hilum.audit.folds import Design
from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.values import Estimate

Key = TypeVar("Key", bound=Hashable)

PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Ridge penalties to choose from, times the number of images; features are standardised."""

ROWS = 4096
"""Images that are held in double precision at a time."""

BLOCK = 40
"""Label vectors that are scored at a time: bounds memory to `BLOCK` x N numbers."""


@dataclass(frozen=True)
class ProbeResult:
    """What a probe could tell of the labels.

    Args:
        auroc: of the scores of held-out images, mean of one class against the rest; interval by patient.
        p: share of the shuffles (this one counted) that did as well.
        shuffled: float64 `[P]`, AUROC with each of the shuffled labels.
        scores: float64 `[N, C]`, held-out scores of the classes `Design.columns`.
    """

    auroc: Estimate
    p: float
    shuffled: np.ndarray
    scores: np.ndarray

    @property
    def surprise(self) -> float:
        """How many standard deviations of the shuffles the figure lies above their mean."""
        spread = float(self.shuffled.std())
        return (self.auroc.value - float(self.shuffled.mean())) / spread if spread > 0 else 0.0


def run_probe(features: np.ndarray, design: Design) -> ProbeResult:
    """Cross-validates a ridge classifier on features and on shuffles of the labels.

    Args:
        features: float `[N, D]`, finite.
        design: labels, folds and shuffles.
    """
    folds = factorise_folds(features, design.fold)
    scores = held_out_scores(features, folds, design.fold, _one_hot(design.labels[None], design.columns))
    shuffled = [
        macro_auroc(held_out_scores(features, folds, design.fold, _one_hot(block, design.columns)), block, design)
        for block in _blocks(design.shuffled, max(1, BLOCK // len(design.columns)))
    ]
    null = np.concatenate(shuffled) if shuffled else np.zeros(0)
    auroc = macro_auroc_estimate(scores[:, 0], design.labels, design.columns, design.patients, seed=design.seed)
    p = (1 + int((null >= auroc.value - 1e-12).sum())) / (1 + len(null))
    return ProbeResult(auroc, p, null, scores[:, 0])


def held_out_auroc(features: np.ndarray, design: Design) -> float:
    """As `run_probe`, the figure alone: neither interval nor shuffles."""
    folds = factorise_folds(features, design.fold)
    scores = held_out_scores(features, folds, design.fold, _one_hot(design.labels[None], design.columns))
    return float(macro_auroc(scores, design.labels[None], design)[0])


def held_out_class_scores(features: np.ndarray, design: Design) -> np.ndarray:
    """Held-out scores of every class, float64 `[N, K]`: about the share of the class among images like this one."""
    folds = factorise_folds(features, design.fold)
    targets = _one_hot(design.labels[None], tuple(range(design.num_classes)))
    return held_out_scores(features, folds, design.fold, targets)[:, 0]


def corrected(results: Mapping[Key, ProbeResult]) -> dict[Key, float]:
    """p-values that account for how many probes were tried (Westfall and Young's single-step max-T).

    A probe's figure, in standard deviations of its shuffles, is compared with the largest one that any probe reached on
    the same shuffle. Unlike Holm's correction this does not pay twice for probes that see the same thing.

    Args:
        results: probes of one `Design`.
    """
    if not results:
        return {}
    nulls = np.array([each.shuffled for each in results.values()])
    spread = nulls.std(axis=1, keepdims=True)
    largest = ((nulls - nulls.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, np.inf)).max(axis=0)
    return {
        name: (1 + int((largest >= each.surprise - 1e-12).sum())) / (1 + len(largest)) for name, each in results.items()
    }


def probe_elsewhere(
    features: np.ndarray, labels: np.ndarray, fitted_on: np.ndarray, applied_to: np.ndarray, patients: Patients
) -> Estimate:
    """Fits on some images and applies to others.

    Args:
        features: float `[N, D]`.
        labels: int `[N]` in [0, K).
        fitted_on, applied_to: bool `[N]`, no image in both.
        patients: of all images.

    Returns:
        AUROC on the others with its interval.
    """
    num_classes = int(labels.max()) + 1
    columns = (1,) if num_classes == 2 else tuple(range(num_classes))
    held_out = np.where(applied_to, 0, -1)
    inside = fitted_on | applied_to
    (fold,) = factorise_folds(features[inside], held_out[inside])
    targets = _one_hot(labels[None, inside], columns)
    scores = held_out_scores(features[inside], [fold], held_out[inside], targets)[held_out[inside] == 0, 0]
    chosen = Patients.of(patients.index[applied_to])
    return macro_auroc_estimate(scores, labels[applied_to], columns, chosen)


class Factor(NamedTuple):
    """Ridge regression on the images outside one fold, up to the labels.

    Args:
        mean, scale: float64 `[D]`; a feature that does not vary outside the fold has scale 0.
        basis: float64 `[D, R]`, principal directions of the standardised features.
        power: float64 `[R]`, sum of squares along each.
        images: how many images lie outside the fold.
    """

    mean: np.ndarray
    scale: np.ndarray
    basis: np.ndarray
    power: np.ndarray
    images: int


def factorise_folds(features: np.ndarray, fold: np.ndarray) -> list[Factor]:
    """One factorisation for each fold 0, 1, ..., of the images outside it; images of fold -1 are never held out.

    The products of all images are summed once, and each fold takes its own away. With more features than images the
    products of images with each other are factorised instead.
    """
    names = range(int(fold.max()) + 1)
    if features.shape[1] > 0.8 * len(features):
        return [_factor_of_few(features[fold != each]) for each in names]
    parts = {each: _moments(features, np.flatnonzero(fold == each)) for each in np.unique(fold)}
    total = [np.sum([part[item] for part in parts.values()], axis=0) for item in range(3)]
    return [_factor_of_many(*(whole - own for whole, own in zip(total, parts[each], strict=True))) for each in names]


def held_out_scores(features: np.ndarray, folds: list[Factor], fold: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Scores of each image from the fold that did not see it.

    Args:
        folds: from `factorise_folds`.
        targets: float64 `[N, L]`, label vectors to regress on.

    Returns:
        float64 `[N, ...]`, shaped as `targets`; 0 where an image is never held out.
    """
    flat = targets.reshape(len(targets), -1)
    products = {each: _product(features, np.flatnonzero(fold == each), flat) for each in np.unique(fold)}
    sums = {each: flat[fold == each].sum(axis=0) for each in products}
    every, total = np.sum(list(products.values()), axis=0), flat.sum(axis=0)
    square = (flat**2).sum(axis=0)
    scores = np.zeros_like(flat)
    for each, factor in enumerate(folds):
        seen, outside = total - sums[each], factor.images
        squares = square - (flat[fold == each] ** 2).sum(axis=0) - seen**2 / outside
        along = every - products[each] - np.outer(factor.mean, seen)
        weights = _weights(factor, along, squares)
        offset = seen / outside - factor.mean @ weights
        for rows in _chunks(np.flatnonzero(fold == each)):
            scores[rows] = features[rows].astype(np.float64) @ weights + offset
    # Images that are alike get scores that differ in the last digits, which a rank would make much of.
    return np.round(scores, 10).reshape(targets.shape)


def _weights(factor: Factor, along: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Weights on raw features, float64 `[D, L]`, each with the penalty that generalised cross-validation likes best.

    Args:
        along: products of centred features and labels, `[D, L]`.
        squares: sum of squares of each centred label vector, `[L]`.
    """
    projected = factor.basis.T @ (factor.scale[:, None] * along)
    explained = projected**2 / factor.power[:, None]
    best, score = np.zeros(projected.shape[1]), np.full(projected.shape[1], np.inf)
    for penalty in (factor.images * each for each in PENALTIES):
        shrunk = penalty / (factor.power + penalty)
        left = squares - (1 - shrunk**2) @ explained
        free = factor.images - 1 - (1 - shrunk).sum()
        criterion = left / max(free, 1.0) ** 2
        best, score = np.where(criterion < score, penalty, best), np.minimum(criterion, score)
    return factor.scale[:, None] * (factor.basis @ (projected / (factor.power[:, None] + best)))


def _moments(features: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number, sum and products of the features of some images."""
    side = features.shape[1]
    total, products = np.zeros(side), np.zeros((side, side))
    for chunk in _chunks(rows):
        part = features[chunk].astype(np.float64)
        total += part.sum(axis=0)
        products += part.T @ part
    return np.array(len(rows)), total, products


def _factor_of_many(count: np.ndarray, total: np.ndarray, products: np.ndarray) -> Factor:
    mean = total / count
    centred = products - np.outer(total, mean)
    scale = _scale(np.diag(centred) / count, np.diag(products) / count)
    power, basis = np.linalg.eigh(centred * np.outer(scale, scale))
    return _without_noise(mean, scale, basis, power, int(count))


def _factor_of_few(features: np.ndarray) -> Factor:
    part = features.astype(np.float64)
    mean = part.mean(axis=0)
    scale = _scale(part.var(axis=0), (part**2).mean(axis=0))
    part = (part - mean) * scale
    power, images = np.linalg.eigh(part @ part.T)
    return _without_noise(mean, scale, part.T @ (images / np.sqrt(np.maximum(power, 1e-300))), power, len(part))


def _without_noise(mean: np.ndarray, scale: np.ndarray, basis: np.ndarray, power: np.ndarray, count: int) -> Factor:
    kept = power > 1e-9 * max(float(power.max(initial=0.0)), 1e-300)
    return Factor(mean, scale, basis[:, kept], power[kept], count)


def _scale(variance: np.ndarray, square: np.ndarray) -> np.ndarray:
    """1 / standard deviation; 0 for a feature that varies by rounding only."""
    varies = variance > 1e-10 * np.maximum(square, 1e-300)
    return np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1.0)), 0.0)


def _product(features: np.ndarray, rows: np.ndarray, targets: np.ndarray) -> np.ndarray:
    product = np.zeros((features.shape[1], targets.shape[1]))
    for chunk in _chunks(rows):
        product += features[chunk].T.astype(np.float64) @ targets[chunk]
    return product


def _chunks(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]


def _blocks(shuffled: np.ndarray, size: int) -> list[np.ndarray]:
    return [shuffled[start : start + size] for start in range(0, len(shuffled), size)]


def _one_hot(labels: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
    """`[P, N]` -> float64 `[N, P, C]`."""
    return (labels.T[:, :, None] == np.array(columns)).astype(np.float64)
