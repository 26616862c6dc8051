"""A pilot: what predictions that are there say of the figures, the clustering and the agreement of two models."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from hilum.data.predictions import Predictions
from hilum.errors import DataError
from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.intervals import design_effect
from hilum.evaluation.paired_tests import delong
from hilum.evaluation.planning.answers import Wish
from hilum.evaluation.planning.clustering import Clustering, effect_of_values, sizes_of


@dataclass(frozen=True)
class PilotFigure:
    """A figure as it was observed.

    Args:
        figure: `accuracy`, `sensitivity` or `auroc`.
        label: the class that it is about; empty for accuracy.
        value: NaN where it is not defined.
        images: in its denominator.
        prevalence: share of the class among all images; NaN for accuracy.
        images_per_patient: of the whole set.
        clustering: of the images in the denominator.
    """

    figure: str
    label: str
    value: float
    images: int
    prevalence: float
    images_per_patient: float
    clustering: Clustering

    @property
    def is_plannable(self) -> bool:
        """Whether an interval can be planned from it: not where everything is right, or nothing."""
        return math.isfinite(self.value) and (0.5 if self.figure == "auroc" else 0.0) < self.value < 1


@dataclass(frozen=True)
class PairedPilot:
    """Two models on the same images.

    Args:
        first, second: names.
        accuracies, areas: of the two; areas are NaN with more than two classes.
        discordant: share of the images on which just one is right.
        score_correlation: of their scores within a class; NaN with more than two classes.
        clustering: of the difference of right calls.
        area_clustering: of the difference of areas.
    """

    first: str
    second: str
    images: int
    accuracies: tuple[float, float]
    areas: tuple[float, float]
    discordant: float
    score_correlation: float
    prevalence: float
    clustering: Clustering
    area_clustering: Clustering


@dataclass(frozen=True)
class Pilot:
    """What is known of one split.

    Args:
        split: `val` or `test`.
        images, patients: how many.
        figures: accuracy first, then the sensitivity of each class, then the AUROC where there are two classes.
    """

    split: str
    images: int
    patients: int
    figures: tuple[PilotFigure, ...]

    @classmethod
    def of(cls, predictions: Predictions, split: str) -> Pilot:
        """Measures a predictions table."""
        patients = Patients.of(predictions.table["patient_id"].tolist())
        target, hit = predictions.target, predictions.decisions == predictions.target
        everything = np.ones(len(hit), dtype=bool)
        figures = [_share("accuracy", "", hit, everything, patients, math.nan)]
        for position, label in enumerate(predictions.labels):
            inside = target == position
            if inside.any():
                figures.append(_share("sensitivity", label, hit, inside, patients, float(inside.mean())))
        if predictions.labels.is_binary and predictions.labels.positive:
            figures.append(_area(predictions, patients))
        return cls(split, len(hit), patients.count, tuple(figures))

    def find(self, figure: str, label: str = "") -> PilotFigure:
        """One figure; the first of its kind where no class is named.

        Raises:
            DataError: there is none.
        """
        found = [each for each in self.figures if each.figure == figure and (not label or each.label == label)]
        if not found:
            known = ", ".join(dict.fromkeys(f"{each.figure} {each.label}".strip() for each in self.figures))
            raise DataError("pilot", expected=known, found=f"{figure} {label}".strip())
        return found[0]


def compare_pilots(first: tuple[str, Predictions], second: tuple[str, Predictions]) -> PairedPilot:
    """How two models that predicted the same images agree.

    Raises:
        DataError: they did not predict the same images.
    """
    (name, one), (other_name, other) = first, second
    table = other.table.set_index("image_path", drop=False)
    if set(table.index) != set(one.table["image_path"]):
        raise DataError(f"{name} and {other_name}", expected="predictions of the same images", found="others")
    other = Predictions(table.loc[one.table["image_path"]].reset_index(drop=True), other.labels, other.about)
    patients = Patients.of(one.table["patient_id"].tolist())
    right = [each.decisions == each.target for each in (one, other)]
    difference = right[0].astype(float) - right[1].astype(float)
    sizes = sizes_of(patients.index)
    effect = effect_of_values(difference, patients.index, float((difference != 0).sum()))
    clustering = Clustering.with_effect(*sizes, effect)
    binary = one.labels.is_binary and one.labels.positive is not None
    areas, correlation, prevalence, area_effect = _compare_areas(one, other, patients) if binary else _NO_AREAS
    return PairedPilot(
        name, other_name, len(difference), (float(right[0].mean()), float(right[1].mean())), areas,
        float((difference != 0).mean()), correlation, prevalence, clustering,
        Clustering.with_effect(*sizes, min(area_effect, clustering.weighted)),
    )  # fmt: skip


_NO_AREAS = ((math.nan, math.nan), math.nan, math.nan, 1.0)


def wish_of(figure: PilotFigure, wish: Wish) -> Wish:
    """The wish with what a figure of a pilot says: its value, its clustering, the prevalence of its class."""
    return replace(
        wish,
        figure=figure.figure,
        expect=figure.value,
        prevalence=None if math.isnan(figure.prevalence) else figure.prevalence,
        clustering=figure.clustering,
        label=figure.label,
        images_per_patient=figure.images_per_patient,
    )


def _share(
    name: str, label: str, hit: np.ndarray, inside: np.ndarray, patients: Patients, prevalence: float
) -> PilotFigure:
    index = patients.index[inside]
    value, sizes = float(hit[inside].mean()), sizes_of(index)
    effect = sizes[1] if value in (0.0, 1.0) else min(design_effect(hit[inside], index), sizes[1])
    overall = len(patients.index) / patients.count
    clustering = Clustering.with_effect(*sizes, effect)
    return PilotFigure(name, label, value, int(inside.sum()), prevalence, overall, clustering)


def _area(predictions: Predictions, patients: Patients) -> PilotFigure:
    scores, positive = _scores(predictions)
    label = str(predictions.labels.positive)
    if positive.all() or not positive.any():
        return PilotFigure("auroc", label, math.nan, len(positive), float(positive.mean()), 1.0, Clustering())
    nothing, alone = np.zeros(len(scores)), Patients(np.arange(len(scores)), len(scores))
    grouped = delong(scores, nothing, positive, patients)  # against a model without skill: the error of the first alone
    single = delong(scores, nothing, positive, alone)
    sizes = sizes_of(patients.index)
    effect = _ratio(grouped.standard_error, single.standard_error, sizes[1])
    clustering = Clustering.with_effect(*sizes, effect)
    return PilotFigure("auroc", label, grouped.first, len(positive), float(positive.mean()), sizes[0], clustering)


def _compare_areas(
    one: Predictions, other: Predictions, patients: Patients
) -> tuple[tuple[float, float], float, float, float]:
    first, positive = _scores(one)
    second, _ = _scores(other)
    grouped = delong(first, second, positive, patients)
    single = delong(first, second, positive, Patients(np.arange(len(first)), len(first)))
    correlation = float(np.mean([_normal_correlation(first[side], second[side]) for side in (positive, ~positive)]))
    effect = _ratio(grouped.standard_error, single.standard_error, sizes_of(patients.index)[1])
    return (grouped.first, grouped.second), min(max(correlation, 0.0), 0.999), float(positive.mean()), effect


def _ratio(grouped: float, single: float, largest: float) -> float:
    return min(max((grouped / single) ** 2, 1.0), largest) if single > 0 else largest


def _normal_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of the normal scores that have the same ranks (Pearson 1907: 2 sin(pi/6 * Spearman's rho))."""
    from scipy.stats import rankdata

    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    rho = float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
    return 2 * math.sin(math.pi / 6 * rho)


def _scores(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    position = predictions.labels.index(str(predictions.labels.positive))
    return predictions.probs[:, position], predictions.target == position
