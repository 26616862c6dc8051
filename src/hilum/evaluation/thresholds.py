"""Operating points: above which probability a picture is called a class. Fitted on validation, reported elsewhere.

The score is the (calibrated) probability of one class, so with more than two classes each point is one class against
the rest; a threshold says nothing of which other class a picture is.

- `youden`: the largest sensitivity + specificity - 1 (Youden 1950): both errors weigh the same, whatever their number.
- `sensitivity-95`: the highest threshold that finds at least 95 % of the class on validation.
- `cost-5`: the fewest costs where a missed picture costs five times a false alarm, at validation's class proportions.
- `even`: as far from the class as from the others, counted in the spread of either, on validation pictures as they are
  and as they might look elsewhere; only where those were predicted too. Where validation is called nearly without a
  mistake, the other rules know nothing of pictures of another source (docs/decisions/0010-a-threshold-under-shift.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import special

from hilum.data.predictions import Predictions
from hilum.errors import UsageError
from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.intervals import share_interval
from hilum.evaluation.values import Estimate
from hilum.labels import LabelSet

FEWEST = 10
"""Images of a class, and of all others, below which no point is fitted."""

SENSITIVITY, COST = 0.95, 5.0
EVEN = "even"


@dataclass(frozen=True)
class OperatingPoint:
    """A decision rule: a picture is called `label` where its probability is at least `threshold`.

    Args:
        name: which rule found it.
        label: the class.
        threshold: in [0, 1], of the calibrated probability.
        sentence: the rule in plain words.
        sensitivity, specificity: on the images that it was fitted on, hence optimistic.
        images: how many those were.
    """

    name: str
    label: str
    threshold: float
    sentence: str
    sensitivity: float
    specificity: float
    images: int

    def to_json(self) -> dict[str, Any]:
        """What the model file holds."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> OperatingPoint:
        """The way back; further entries are left alone."""
        return cls(**{name: document[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class PointFigures:
    """What an operating point gives on some images; intervals count patients.

    Args:
        accuracy: share of all images that are called the class and are it, or are not called it and are not.
        flagged: share of all images that are called the class.
    """

    point: OperatingPoint
    accuracy: Estimate
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate
    flagged: Estimate


def fit_points(
    probs: np.ndarray,
    target: np.ndarray,
    labels: LabelSet,
    *,
    sensitivity: float = SENSITIVITY,
    cost: float = COST,
    elsewhere: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[OperatingPoint, ...]:
    """The points of the positive class, or with more than two classes of each class that has enough images.

    Args:
        probs: float `[N, K]` in [0, 1], of validation images, calibrated.
        target: int `[N]`.
        sensitivity: share of the class that `sensitivity-..` has to find, in (0, 1).
        cost: of a missed picture, in false alarms.
        elsewhere: probabilities and targets of validation images as they might look elsewhere; None = no point `even`.

    Raises:
        UsageError: a sensitivity or a cost that cannot be.
    """
    if not (0 < sensitivity < 1 and cost > 0):
        raise UsageError("operating points", expected="0 < sensitivity < 1, cost > 0", found=f"{sensitivity}, {cost}")
    chosen = [labels.positive] if labels.is_binary else list(labels)
    points: list[OperatingPoint] = []
    for label in chosen:
        positive = np.asarray(target) == labels.index(label)
        if min(positive.sum(), (~positive).sum()) >= FEWEST:
            score = probs[:, labels.index(label)]
            points += _fit_class(score, positive, label, sensitivity, cost)
            if elsewhere is not None:
                more = elsewhere[0][:, labels.index(label)], np.asarray(elsewhere[1]) == labels.index(label)
                points.append(_even_point(score, positive, label, *more))
    return tuple(points)


def apply_point(point: OperatingPoint, predictions: Predictions, *, level: float = 0.95) -> PointFigures:
    """What a point gives on other images.

    Args:
        predictions: calibrated like those that the point was fitted on.
    """
    position = predictions.labels.index(point.label)
    called, is_it = predictions.probs[:, position] >= point.threshold, predictions.target == position
    patients = Patients.of(predictions.table["patient_id"].tolist())
    everyone = np.ones(len(is_it), bool)
    shares = {
        "accuracy": (called == is_it, everyone),
        "sensitivity": (called, is_it),
        "specificity": (~called, ~is_it),
        "ppv": (is_it, called),
        "npv": (~is_it, ~called),
        "flagged": (called, everyone),
    }
    return PointFigures(point, **{name: _share(*each, patients, level) for name, each in shares.items()})


def _share(hit: np.ndarray, inside: np.ndarray, patients: Patients, level: float) -> Estimate:
    low, high, _ = share_interval(hit, patients, inside, level)
    k, n = int((hit & inside).sum()), int(inside.sum())
    return Estimate(k / n if n else float("nan"), low, high, k, n)


def _fit_class(
    score: np.ndarray, positive: np.ndarray, label: str, sensitivity: float, cost: float
) -> list[OperatingPoint]:
    cuts, found, silent = _cuts(score, positive)
    missed, alarms = (1 - found) * positive.sum(), (1 - silent) * (~positive).sum()
    enough = np.flatnonzero(found >= sensitivity - 1e-12)
    rules = {
        "youden": (
            int(np.argmax(found + silent)),
            f"finding {label} and leaving the others alone count the same (Youden's index)",
        ),
        f"sensitivity-{100 * sensitivity:g}": (
            int(enough[0]),
            f"at least {100 * sensitivity:g} % of {label} are found on validation",
        ),
        f"cost-{cost:g}": (
            int(np.argmin(cost * missed + alarms)),
            f"a missed {label} costs {cost:g} times a false alarm",
        ),
    }
    return [
        OperatingPoint(name, label, float(cuts[i]), sentence, float(found[i]), float(silent[i]), len(score))
        for name, (i, sentence) in rules.items()
    ]


def _even_point(
    score: np.ndarray, positive: np.ndarray, label: str, other: np.ndarray, other_positive: np.ndarray
) -> OperatingPoint:
    cut = even_threshold(np.concatenate([score, other]), np.concatenate([positive, other_positive]))
    found, silent = float((score[positive] >= cut).mean()), float((score[~positive] < cut).mean())
    sentence = f"as far from {label} as from the others, on validation as it is and as it might look elsewhere"
    return OperatingPoint(EVEN, label, cut, sentence, found, silent, len(score))


def even_threshold(score: np.ndarray, positive: np.ndarray) -> float:
    """The probability that lies equally many standard deviations from either side, on the scale of log odds.

    Medians, and median deviations for standard deviations, so that a few strays move nothing. Between classes that both
    are normal on that scale it makes sensitivity and specificity equal.

    Args:
        score: `[N]` probabilities, images of both sides among them.
        positive: bool `[N]`.
    """
    odds = special.logit(np.clip(np.asarray(score, np.float64), SMALLEST, 1 - SMALLEST))
    sides = odds[np.asarray(positive, bool)], odds[~np.asarray(positive, bool)]
    (high, wide), (low, narrow) = ((np.median(side), _spread_of(side)) for side in sides)
    return float(special.expit((high * narrow + low * wide) / (wide + narrow)))


SMALLEST = 1e-12
"""Probabilities nearer to 0 or 1 have log odds of +-27.6."""


def _spread_of(values: np.ndarray) -> float:
    """A standard deviation from the median deviation from the median; positive, so that it can be divided by."""
    return max(1.4826 * float(np.median(np.abs(values - np.median(values)))), 1e-9)


def _cuts(score: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds from high to low, halfway between scores, with the sensitivity and specificity of each."""
    levels = np.unique(score)[::-1]
    cuts = np.concatenate([[min(1.0, (1 + levels[0]) / 2)], (levels[:-1] + levels[1:]) / 2, [0.0]])
    found = _share_from(np.sort(score[positive]), cuts)
    silent = 1 - _share_from(np.sort(score[~positive]), cuts)
    return cuts, found, silent


def _share_from(ordered: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Of ascending scores the share that reaches each cut."""
    return 1 - np.searchsorted(ordered, cuts, side="left") / len(ordered)


def predictive_values(sensitivity: Estimate, specificity: Estimate, prevalence: float) -> tuple[Estimate, Estimate]:
    """PPV and NPV where the class is as frequent as `prevalence`, by Bayes' rule.

    The intervals combine those of sensitivity and specificity on the scale of log likelihood ratios (the method of
    variance estimates recovery, Zou and Donner, Stat Med 2008, 27:1693).

    Args:
        prevalence: share of the class among those that will be examined, in (0, 1).

    Raises:
        UsageError: a prevalence that is no such share.
    """
    if not 0 < prevalence < 1:
        raise UsageError("--prevalence", expected="a share above 0 and below 1, such as 0.05", found=f"{prevalence:g}")
    odds = prevalence / (1 - prevalence)
    false_alarm, miss = _complement(specificity), _complement(sensitivity)
    return _from_ratio(sensitivity, false_alarm, odds), _from_ratio(specificity, miss, 1 / odds)


def _from_ratio(right: Estimate, wrong: Estimate, odds: float) -> Estimate:
    """`odds * right / wrong` as a probability."""
    low, high = _ratio_ends(right, wrong)
    value = right.value / wrong.value if wrong.value > 0 else float("inf") if right.value > 0 else float("nan")
    return Estimate(_probability(odds * value), _probability(odds * low), _probability(odds * high))


def _ratio_ends(right: Estimate, wrong: Estimate) -> tuple[float, float]:
    if wrong.value <= 0 or right.value <= 0:  # no logarithm: the corners of the two intervals
        high = right.ci_high / wrong.ci_low if wrong.ci_low > 0 else float("inf")
        return (right.ci_low / wrong.ci_high if wrong.ci_high > 0 else 0.0), high
    with np.errstate(divide="ignore"):
        a, a_low, a_high = np.log([right.value, right.ci_low, right.ci_high])
        b, b_low, b_high = np.log([wrong.value, wrong.ci_low, wrong.ci_high])
    down, up = np.hypot(a - a_low, b_high - b), np.hypot(a_high - a, b - b_low)
    return float(np.exp(a - b - down)), float(np.exp(a - b + up))


def _complement(estimate: Estimate) -> Estimate:
    return Estimate(1 - estimate.value, 1 - estimate.ci_high, 1 - estimate.ci_low)


def _probability(odds: float) -> float:
    return 1.0 if odds == float("inf") else odds / (1 + odds)


POINT_FIGURES = ("accuracy", "sensitivity", "specificity", "ppv", "npv", "flagged")


def describe_points(points: Sequence[PointFigures]) -> list[dict[str, Any]]:
    """JSON values of what points give."""
    return [
        {
            "name": each.point.name,
            "label": each.point.label,
            "threshold": each.point.threshold,
            **{name: asdict(getattr(each, name)) for name in POINT_FIGURES},
        }
        for each in points
    ]
