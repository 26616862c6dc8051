"""Accuracy, sensitivity, specificity: images for an interval, and to tell two models apart."""

from __future__ import annotations

import math

from hilum.evaluation.intervals import wilson_interval
from hilum.evaluation.planning.clustering import Clustering
from hilum.evaluation.power import (
    LEVEL,
    POWER,
    detectable_paired,
    detectable_unpaired,
    fewest,
    paired_power,
    unpaired_power,
)

MOST = 5_000_000
"""More images than anybody has: beyond it the answer is that there is none."""


def half_width(share: float, images: float, clustering: Clustering, level: float = LEVEL) -> float:
    """Half the width of the interval that a share would get, as `hilum.evaluation.intervals.share_interval` makes it.

    Args:
        share: expected, in (0, 1).
        images: in the denominator of the share.
    """
    worth = clustering.worth_in_interval(images, min(share, 1 - share) * images)
    low, high, _basis = wilson_interval(share, worth, level)
    return (high - low) / 2


def images_for_width(share: float, within: float, clustering: Clustering, level: float = LEVEL) -> int | None:
    """Fewest images whose interval reaches at most `within` to either side; None beyond `MOST`."""
    return fewest(lambda images: half_width(share, images, clustering, level) <= within, MOST)


def power_paired(images: float, discordant: float, difference: float, clustering: Clustering, level: float) -> float:
    """Of McNemar's exact test on the same images."""
    smooth = clustering.smoothness
    return paired_power(clustering.worth(images), discordant, abs(difference), level, smooth=smooth)


def power_unpaired(images: float, base: float, difference: float, clustering: Clustering, level: float) -> float:
    """Of the z-test of two shares, each of so many other images."""
    return unpaired_power(clustering.worth(images), base, difference, level)


def images_to_tell_paired(
    difference: float, discordant: float, clustering: Clustering, power: float = POWER, level: float = LEVEL
) -> int | None:
    """Fewest images on which McNemar's exact test sees a difference with a power; None beyond `MOST`."""
    gain, smooth = abs(difference), clustering.smoothness
    worth = fewest(lambda n: paired_power(n, discordant, gain, level, smooth=smooth) >= power, MOST)
    return None if worth is None else math.ceil(worth * clustering.effect - 1e-9)


def images_to_tell_unpaired(
    base: float, difference: float, clustering: Clustering, power: float = POWER, level: float = LEVEL
) -> int | None:
    """Fewest images in each of two sets whose shares a z-test tells apart with a power; None beyond `MOST`."""
    worth = fewest(lambda n: unpaired_power(n, base, difference, level) >= power, MOST)
    return None if worth is None else math.ceil(worth * clustering.effect - 1e-9)


def smallest_paired(images: float, discordant: float, clustering: Clustering, power: float, level: float) -> float:
    """Smallest difference that McNemar's exact test sees with a power; NaN where it sees none."""
    return detectable_paired(clustering.worth(images), discordant, power, level)


def smallest_unpaired(images: float, base: float, clustering: Clustering, power: float, level: float) -> float:
    """Smallest gain over `base` that a z-test sees with a power between sets of so many other images; else NaN."""
    return detectable_unpaired(clustering.worth(images), base, power, level)


def independent_discordance(first: float, second: float) -> float:
    """How often just one of two models is right whose errors have nothing to do with each other."""
    return first * (1 - second) + second * (1 - first)


def likely_discordances(first: float, second: float) -> tuple[float, float, float]:
    """As alike as the two shares allow, half-way, and with errors independent of each other.

    Two models trained on the same images stumble over the same hard ones, so they lie between the ends.
    """
    alike, apart = abs(first - second), independent_discordance(first, second)
    return alike, (alike + apart) / 2, apart
