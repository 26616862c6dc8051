"""AUROC: images for an interval, and to tell two models apart with DeLong's test.

The scores of a class are taken to be normal with equal spread (the binormal model), which gives the variance of the
area, and the covariance of two areas on the same images, in closed form: each term is the chance that two correlated
normal values are both positive (Bamber, J Math Psychol 1975, 12:387; Obuchowski and McClish, Statistics in Medicine
1997, 16:1529). Real scores are not quite normal; `benchmarks/planner_power.py` measures by how much that matters.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from hilum.evaluation.intervals import normal_quantile
from hilum.evaluation.planning.clustering import Clustering
from hilum.evaluation.planning.shares import MOST
from hilum.evaluation.power import LEVEL, POWER, fewest, smallest_difference

_ROUNDS = 12


def standard_error(area: float, positives: float, negatives: float) -> float:
    """Of an area on so many independent images of either kind, `area` in [0.5, 1)."""
    return math.sqrt(_covariance(area, area, positives, negatives, 1.0))


def standard_error_of_difference(
    first: float, second: float, positives: float, negatives: float, correlation: float
) -> float:
    """Of the difference of two areas.

    Args:
        correlation: of the two models' scores among images of the same class, in [0, 1]; 0 for sets of other images.
    """
    both = _covariance(first, second, positives, negatives, correlation) if correlation else 0.0
    alone = (_covariance(area, area, positives, negatives, 1.0) for area in (first, second))
    return math.sqrt(max(sum(alone) - 2 * both, 1e-18))


def half_width(area: float, images: float, prevalence: float, clustering: Clustering, level: float = LEVEL) -> float:
    """Half the width of the interval that an area would get, made on the logit scale as hilum makes it."""
    worth = clustering.worth(images)
    error = standard_error(area, *_sides(worth, prevalence))
    reach = normal_quantile(level) * error / (area * (1 - area))
    low, high = special.expit(special.logit(area) + np.array([-reach, reach]))
    return float(high - low) / 2


def images_for_width(
    area: float, within: float, prevalence: float, clustering: Clustering, level: float = LEVEL
) -> int | None:
    """Fewest images whose interval reaches at most `within` to either side; None beyond `MOST`."""
    return fewest(lambda images: half_width(area, images, prevalence, clustering, level) <= within, MOST)


def power_of_areas(
    images: float,
    first: float,
    second: float,
    prevalence: float,
    correlation: float,
    clustering: Clustering,
    level: float = LEVEL,
) -> float:
    """Of DeLong's test on the same images, or with `correlation` 0 of a z-test on two sets of so many other images."""
    sides, reach = _sides(clustering.worth(images), prevalence), normal_quantile(level)
    low, high = sorted((first, second))
    error = standard_error_of_difference(low, high, *sides, correlation)
    both = _covariance(low, high, *sides, correlation) if correlation else 0.0
    pulls = [(each - both) / error for each in (standard_error(low, *sides) ** 2, standard_error(high, *sides) ** 2)]
    # DeLong's error is estimated from the same images: where the difference comes out smaller, the areas are others,
    # and so is the error that it is held against. The draw where the two meet is found by putting one into the other.
    draw = 0.0
    for _ in range(_ROUNDS):
        seen = (_inside(low - pulls[0] * draw), _inside(high + pulls[1] * draw))
        draw = (reach * standard_error_of_difference(*seen, *sides, correlation) - (high - low)) / error
    return float(special.ndtr(-draw) + special.ndtr(-(high - low) / error - reach))


def images_to_tell(
    first: float,
    second: float,
    prevalence: float,
    correlation: float,
    clustering: Clustering,
    power: float = POWER,
    level: float = LEVEL,
) -> int | None:
    """Fewest images on which two areas are told apart with a power; None beyond `MOST`."""
    return fewest(
        lambda images: power_of_areas(images, first, second, prevalence, correlation, clustering, level) >= power, MOST
    )


def smallest_difference_of_areas(
    images: float,
    base: float,
    prevalence: float,
    correlation: float,
    clustering: Clustering,
    power: float = POWER,
    level: float = LEVEL,
) -> float:
    """Smallest gain over an area that is seen with a power; NaN where none is."""
    return smallest_difference(
        lambda gain: power_of_areas(images, base, base + gain, prevalence, correlation, clustering, level),
        0.9999 - base,
        power,
    )


def _inside(area: float) -> float:
    return min(max(area, 0.5), 0.99999)


def _sides(images: float, prevalence: float) -> tuple[float, float]:
    return max(images * prevalence, 1.0), max(images * (1 - prevalence), 1.0)


def _covariance(first: float, second: float, positives: float, negatives: float, correlation: float) -> float:
    """Of two areas on the same images.

    A pair of images contributes the chance that both models order it rightly; pairs that share one image contribute the
    same with half of the correlation.
    """
    same = _both_positive(first, second, correlation) - first * second
    shared = _both_positive(first, second, correlation / 2) - first * second
    return (same + (positives + negatives - 2) * shared) / (positives * negatives)


def _both_positive(first: float, second: float, correlation: float) -> float:
    """Chance that two normal values of correlation r, positive with chances `first` and `second`, are both positive.

    By Owen's T (Annals of Mathematical Statistics 1956, 27:1075); both chances are at least one half.
    """
    if correlation >= 1:
        return min(first, second)
    h, k = max(float(special.ndtri(first)), 1e-9), max(float(special.ndtri(second)), 1e-9)
    root = math.sqrt(1 - correlation**2)
    tails = special.owens_t(h, (k / h - correlation) / root) + special.owens_t(k, (h / k - correlation) / root)
    return float((first + second) / 2 - tails)
