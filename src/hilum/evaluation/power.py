"""The power of comparisons of two models, and the smallest difference that a set of images shows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from hilum.evaluation.intervals import normal_quantile

POWER, LEVEL = 0.8, 0.95
_EXACT = 600
_WIDE = 8
"""Standard deviations of a binomial count beyond which nothing is summed."""


def unpaired_power(n: float, base: float, difference: float, level: float = LEVEL) -> float:
    """Chance that the z-test of two shares, each of n other images, sees a difference.

    Args:
        n: images behind each share, perhaps effective.
        base, difference: the true shares are base and base + difference, both in [0, 1].
        level: 1 minus the error of the first kind.

    Returns:
        The power in [0, 1]: by summing over all outcomes up to 600 images, by the normal distribution beyond.
    """
    if round(n) <= _EXACT:
        return _summed(max(1, round(n)), base, base + difference, normal_quantile(level))
    better, middle = base + difference, base + difference / 2
    under_null = np.sqrt(2 * middle * (1 - middle) / n)
    under_truth = np.sqrt((base * (1 - base) + better * (1 - better)) / n)
    reach = normal_quantile(level) * under_null
    ends = special.ndtr(np.array([abs(difference) - reach, -abs(difference) - reach]) / max(under_truth, 1e-12))
    return float(ends.sum())


def _summed(n: int, first: float, second: float, quantile: float) -> float:
    k = np.arange(n + 1)
    shares = k / n
    middle = (shares[:, None] + shares[None]) / 2
    spread = np.sqrt(2 * middle * (1 - middle) / n)
    rejected = np.abs(shares[:, None] - shares[None]) > quantile * spread + 1e-12
    return float(_binomial(k, n, first) @ rejected @ _binomial(k, n, second))


def paired_power(n: float, discordant: float, difference: float, level: float = LEVEL, *, smooth: float = 0.0) -> float:
    """Chance that the exact McNemar test sees a difference of two models on the same images.

    Args:
        n: images, perhaps effective.
        discordant: share of the images on which just one of the two is right, in (0, 1].
        difference: of their accuracies, at most `discordant`.
        level: 1 minus the error of the first kind.
        smooth: 0 for images that are each a patient of their own; 1 where patients have several, whose sums take so
            many values that the test is no longer coarse and sees as much as its mid-p version.

    Returns:
        The power in [0, 1], summed over all numbers of discordant images that can occur.
    """
    count, wins = max(1, round(n)), (1 + min(1.0, difference / discordant)) / 2
    spread = _WIDE * np.sqrt(count * discordant) + _WIDE
    low, high = max(0, int(count * discordant - spread)), min(count, int(count * discordant + spread))
    seen = np.arange(low, high + 1)
    exact, mid = _rejected(seen, wins, level)
    return float(_binomial(seen, count, discordant) @ ((1 - smooth) * exact + smooth * mid))


def _rejected(m: np.ndarray, wins: float, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Chance that a sign test on m discordant images rejects, exact and mid-p, `[M]` for whole numbers `m: [M]`."""
    tail = (1 - level) / 2
    k = np.floor(np.nan_to_num(special.bdtrik(tail, m, 0.5), nan=-1.0)) + 1  # the inverse may be off by one
    for _ in range(3):
        k = np.where((k >= 0) & (_at_most(k, m, 0.5) > tail), k - 1, k)
    exact = _at_most(k, m, wins) + _at_most(k, m, 1 - wins)
    # One more counts in the mid-p version where half of its chance still fits.
    more = np.where((_at_most(k, m, 0.5) + _at_most(k + 1, m, 0.5)) / 2 <= tail, k + 1, k)
    return exact, _at_most(more, m, wins) + _at_most(more, m, 1 - wins)


def _at_most(k: np.ndarray, m: np.ndarray, share: float) -> np.ndarray:
    """Chance of at most k of m; 0 for negative k."""
    return np.where(k < 0, 0.0, special.bdtr(np.maximum(k, 0), m, share))


def _binomial(k: np.ndarray, n: int, share: float) -> np.ndarray:
    share = min(max(share, 1e-12), 1 - 1e-12)
    logs = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return np.exp(logs + k * np.log(share) + (n - k) * np.log1p(-share))


def smallest_difference(power_of: Callable[[float], float], largest: float, power: float = POWER) -> float:
    """The smallest difference that is seen with a power, NaN where even the largest is not.

    Args:
        power_of: from a difference in [0, largest] to its power; rises with it.
    """
    if power_of(largest) < power:
        return float("nan")
    low, high = 0.0, largest
    for _ in range(16):
        middle = (low + high) / 2
        low, high = (low, middle) if power_of(middle) >= power else (middle, high)
    return high


def fewest(enough: Callable[[int], bool], most: int) -> int | None:
    """The smallest whole number from 1 that is enough, None where `most` is not.

    Args:
        enough: once true it stays true, or nearly so.
    """
    high = 16
    while not enough(min(high, most)):
        if high >= most:
            return None
        high *= 2
    low, high = 0, min(high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def detectable_unpaired(n: float, base: float = 0.9, power: float = POWER, level: float = LEVEL) -> float:
    """Smallest gain over an accuracy that two sets of n other images show with a power."""
    return smallest_difference(lambda difference: unpaired_power(n, base, difference, level), 1 - base, power)


def detectable_paired(n: float, discordant: float = 0.1, power: float = POWER, level: float = LEVEL) -> float:
    """Smallest gain that the same n images show with a power, where two models disagree on a share of them."""
    return smallest_difference(lambda difference: paired_power(n, discordant, difference, level), discordant, power)
