"""Ridge regression with one factorisation a fold, for any number of label vectors at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Ridge penalties to choose from, times the number of images; features are standardised."""

ROWS = 4096
"""Images that are held in double precision at a time."""


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
