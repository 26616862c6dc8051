"""Thresholds from normal images alone, and the rule that one score or another lies beyond its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hilum.errors import DataError, UsageError


@dataclass(frozen=True)
class Rule:
    """An image is called abnormal when any of its scores is above that score's threshold.

    Args:
        names: of the scores, at least one.
        middles: median of each score over the normal images that the thresholds come from.
        thresholds: one a score.
        rate: the false-alarm rate that was asked for, of all scores together.
        images: normal images that the thresholds come from.
    """

    names: tuple[str, ...]
    middles: tuple[float, ...]
    thresholds: tuple[float, ...]
    rate: float
    images: int

    def score(self, scores: Mapping[str, np.ndarray]) -> np.ndarray:
        """One number an image, float64 `[N]`: above 1 where the rule calls it abnormal.

        Each score is counted from its normal median (0) to its threshold (1); the largest stands for the image.
        """
        parts = zip(self.names, self.middles, self.thresholds, strict=True)
        scaled = [(np.asarray(scores[name], np.float64) - middle) / (end - middle) for name, middle, end in parts]
        return np.max(scaled, axis=0)

    def calls(self, scores: Mapping[str, np.ndarray]) -> np.ndarray:
        """bool `[N]`: any score above its threshold."""
        above = [np.asarray(scores[name]) > end for name, end in zip(self.names, self.thresholds, strict=True)]
        return np.any(above, axis=0)


def fit_rule(normal: Mapping[str, np.ndarray], rate: float) -> Rule:
    """Thresholds that normal images exceed at a stated rate.

    A single threshold is the k-th smallest of n normal scores with k = ceil((1 - rate) (n + 1)): a new normal image
    of the same kind lies above it with a probability of at most `rate` (split conformal prediction, Vovk et al. 2005).
    With several scores each threshold is the k-th smallest of its own, with one k for all: the smallest at which no
    more normal images are called by the scores together than one threshold alone would call. So the stated rate is
    that of the whole rule, not of each half.

    Args:
        normal: name -> scores of the same n normal images, larger is stranger.
        rate: in (0, 1).

    Raises:
        UsageError: a rate that is none.
        DataError: too few normal images for such a rate.
    """
    if not 0 < rate < 1:
        raise UsageError("false-alarm rate", expected="a share above 0 and below 1, such as 0.05", found=f"{rate:g}")
    scores = {name: np.asarray(values, np.float64) for name, values in normal.items()}
    count = len(next(iter(scores.values())))
    allowed = math.floor(rate * (count + 1) + 1e-9) - 1
    if allowed < 0:
        raise DataError(
            "normal validation images",
            expected=f"at least {math.ceil(1 / rate) - 1} for a false-alarm rate of {100 * rate:g} %",
            found=str(count),
            way_out="Ask for a higher rate, or give more images.",
        )
    ordered = {name: np.sort(values) for name, values in scores.items()}
    position = _smallest(scores, ordered, allowed)
    middles = tuple(float(np.median(values)) for values in scores.values())
    ends = tuple(
        _above(float(values[position]), middle) for values, middle in zip(ordered.values(), middles, strict=True)
    )
    return Rule(tuple(scores), middles, ends, rate, count)


def _smallest(scores: Mapping[str, np.ndarray], ordered: Mapping[str, np.ndarray], allowed: int) -> int:
    """The smallest position whose thresholds together call no more than `allowed` normal images."""
    count = len(next(iter(ordered.values())))
    for position in range(max(0, count - 1 - allowed), count):
        called = np.any([values > ordered[name][position] for name, values in scores.items()], axis=0)
        if called.sum() <= allowed:
            return position
    return count - 1


def _above(threshold: float, middle: float) -> float:
    """A threshold above the median: where all normal images score alike, the next number up."""
    return threshold if threshold > middle else float(np.nextafter(middle, np.inf))
