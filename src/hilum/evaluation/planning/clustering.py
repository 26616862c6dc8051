"""What images of the same patients are worth: the design effect of a set that is still to be collected."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hilum.errors import UsageError
from hilum.evaluation.intervals import PRIOR_ERRORS


@dataclass(frozen=True)
class Clustering:
    """How the images of a set hang together by patient.

    Args:
        per_patient: images a patient, on average; at least 1.
        weighted: how many images the patient of an average image has, sum(n_i^2) / sum(n_i); `per_patient` where all
            patients have equally many, more where a few have most of them.
        correlation: in [0, 1], of what two images of one patient add to the figure: of a share, whether both are called
            right.
    """

    per_patient: float = 1.0
    weighted: float = 1.0
    correlation: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.per_patient) and self.per_patient >= 1):
            raise UsageError("images per patient", expected="a number from 1", found=f"{self.per_patient:g}")
        if not 0 <= self.correlation <= 1:
            raise UsageError("correlation in a patient", expected="a number from 0 to 1", found=f"{self.correlation:g}")
        object.__setattr__(self, "weighted", max(self.weighted, self.per_patient))

    @classmethod
    def with_effect(cls, per_patient: float, weighted: float, effect: float) -> Clustering:
        """From a design effect that is known: the correlation follows, Kish's formula the other way round.

        Raises:
            UsageError: an effect that so few images a patient cannot have.
        """
        largest = max(weighted, per_patient)
        if not 1 <= effect <= largest + 1e-9:
            expected = f"from 1 to {largest:g}, the images that a patient has"
            raise UsageError("design effect", expected=expected, found=f"{effect:g}", way_out="Give --per-patient too.")
        correlation = 0.0 if largest <= 1 else min(1.0, (effect - 1) / (largest - 1))
        return cls(per_patient, largest, correlation)

    @property
    def effect(self) -> float:
        """The design effect (Kish 1965): by how much the variance of a share exceeds that of independent images."""
        return 1 + (self.weighted - 1) * self.correlation

    @property
    def smoothness(self) -> float:
        """How far McNemar's test, patient by patient, is less coarse than on single images, in [0, 0.5]; see
        `power.paired_power`. By simulation it lies half-way where patients have two images or more.
        """
        return min(1.0, self.weighted - 1) / 2

    def worth(self, images: float) -> float:
        """Independent images that so many are worth."""
        return images / self.effect

    def worth_in_interval(self, images: float, errors: float) -> float:
        """As `worth`, in the interval of a share: with few errors that interval leans towards the largest effect.

        Args:
            errors: expected number of the rarer of hits and misses; see `hilum.evaluation.intervals.design_effect`.
        """
        return images / ((errors * self.effect + PRIOR_ERRORS * self.weighted) / (errors + PRIOR_ERRORS))

    def patients(self, images: float) -> int:
        """Patients who bring so many images."""
        return math.ceil(images / self.per_patient - 1e-9)


def sizes_of(patient: np.ndarray) -> tuple[float, float]:
    """Images a patient on average, and of an average image's patient; `patient: int [N]`."""
    sizes = np.unique(patient, return_counts=True)[1].astype(np.float64)
    return float(sizes.mean()), float((sizes**2).sum() / sizes.sum())


def effect_of_values(values: np.ndarray, patient: np.ndarray, events: float) -> float:
    """Design effect of the mean of any value of an image, such as which of two models is right; at least 1.

    The linearised estimate, drawn towards the largest possible effect where there are few events, as
    `hilum.evaluation.intervals.design_effect` does for a share.

    Args:
        values: `[N]`.
        patient: int `[N]`.
        events: how many values are out of the ordinary.
    """
    _, index = np.unique(patient, return_inverse=True)
    sizes, sums = np.bincount(index).astype(np.float64), np.bincount(index, weights=values)
    n, m, spread = len(values), len(sizes), float(np.var(values))
    largest = float((sizes**2).sum() / n)
    if m in (1, n) or spread == 0:
        return 1.0 if m == n else largest
    seen = m / (m - 1) * ((sums - values.mean() * sizes) ** 2).sum() / (n * spread)
    return min(largest, max(1.0, float((events * seen + PRIOR_ERRORS * largest) / (events + PRIOR_ERRORS))))
