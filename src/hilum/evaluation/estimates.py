"""Each figure with its interval: which kind of interval for which figure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from hilum.evaluation.bootstrap import Patients, bootstrap
from hilum.evaluation.figures import PER_CLASS, SHARES, Figures
from hilum.evaluation.intervals import (
    UNDEFINED,
    Interval,
    bounded_interval,
    exact_interval,
    perfect_ranking_floor,
    positive_interval,
    reflected_interval,
    share_interval,
)
from hilum.evaluation.values import Estimate


class Estimates:
    """Figures, their bootstrap replicates, and the intervals made from both.

    Args:
        replicates, seed: of the patient-level bootstrap.
        level: coverage of every interval, in (0, 1).
    """

    def __init__(self, figures: Figures, patients: Patients, *, replicates: int, seed: int, level: float) -> None:
        self.figures, self.patients, self.level = figures, patients, level
        self.values: Mapping[str, np.ndarray] = {
            name: value[0] for name, value in figures(np.ones((1, len(figures.target)))).items()
        }
        self.replicates = bootstrap(figures, patients, replicates=replicates, seed=seed)

    def of_class(self, name: str, position: int) -> tuple[Estimate, str]:
        """One of `PER_CLASS` for one class, and what its interval rests on."""
        if name in SHARES:
            return self._share(*self.figures.share(name, position))
        floor, ceiling = self._extremes(name, position)
        return self._bounded(f"class_{name}", position, self._smaller_side[position], floor, ceiling)

    def overall(self, name: str) -> tuple[Estimate, str]:
        """One of `OVERALL`, and what its interval rests on."""
        if name == "accuracy":
            return self._share(self.figures.decision == self.figures.target, np.ones(len(self.figures.target), bool))
        if name in PER_CLASS and self.figures.positive is not None:
            return self.of_class(name, self.figures.positive)
        if name in ("ece", "brier", "log_loss"):
            kind = reflected_interval if name == "ece" else positive_interval
            value, patients = float(self.values[name]), self.patients.count
            interval = kind(value, self.replicates[name], patients=patients, level=self.level)
            return _estimate(value, interval)
        if name == "kappa":
            return self._bounded(name, None, self.patients.count, self._perfect_kappa, -1.0, lowest=-1.0)
        source = "sensitivity" if name == "balanced_accuracy" else name
        extremes = np.array([self._extremes(source, each) for each in self.figures.present])
        smallest = min(self._smaller_side[each] for each in self.figures.present)
        return self._bounded(name, None, smallest, *(float(end) for end in extremes.mean(axis=0)))

    def _share(self, hit: np.ndarray, inside: np.ndarray) -> tuple[Estimate, str]:
        interval = share_interval(hit, self.patients, inside, self.level)
        k, n = int((hit & inside).sum()), int(inside.sum())
        return _estimate(k / n if n else float("nan"), interval, k, n)

    def _bounded(
        self, name: str, position: int | None, patients: int, floor: float, ceiling: float, lowest: float = 0.0
    ) -> tuple[Estimate, str]:
        value, replicates = self.values[name], self.replicates[name]
        if position is not None:
            value, replicates = value[position], replicates[:, position]
        ends = {"floor": floor, "ceiling": ceiling, "lowest": lowest}
        interval = bounded_interval(float(value), replicates, patients=patients, level=self.level, **ends)
        return _estimate(float(value), interval)

    def _extremes(self, name: str, position: int) -> tuple[float, float]:
        """Lower end of a perfect score and upper end of the lowest one, for a class as large as this one."""
        is_it = self.figures.target == position
        if name in ("auroc", "auprc"):
            floor = perfect_ranking_floor(self.patients.effective(is_it), self.patients.effective(~is_it), self.level)
            return floor, 1 - floor
        called = self.figures.decision == position
        inside = is_it | called if name == "f1" else self.figures.share(name, position)[1]
        worth = self.patients.effective(inside)
        if not worth:
            return 0.0, 1.0
        low = exact_interval(worth, worth, self.level).low
        # F1 = 2 J / (1 + J), where J is the share of hits among the images that are, or were called, the class.
        return (2 * low / (1 + low), 2 * (1 - low) / (2 - low)) if name == "f1" else (low, 1 - low)

    @property
    def _perfect_kappa(self) -> float:
        everyone = np.ones(len(self.figures.target), bool)
        worth = self.patients.effective(everyone)
        by_chance = float(((np.bincount(self.figures.target) / len(everyone)) ** 2).sum())
        low = exact_interval(worth, worth, self.level).low
        return (low - by_chance) / (1 - by_chance) if by_chance < 1 else -1.0

    @cached_property
    def _smaller_side(self) -> list[int]:
        """For each class, its patients or the others', whichever are fewer."""
        sides = [self.figures.target == each for each in range(self.figures.num_classes)]
        return [min(self.patients.among(is_it), self.patients.among(~is_it)) for is_it in sides]


def _estimate(value: float, interval: Interval, k: int | None = None, n: int | None = None) -> tuple[Estimate, str]:
    if value != value:
        interval = UNDEFINED
    return Estimate(value, interval.low, interval.high, k, n), interval.basis
