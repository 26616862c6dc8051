"""AUROC of scores of two or more classes: for many shuffles at once, and once with a patient-level interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hilum.evaluation.bootstrap import Patients, bootstrap
from hilum.evaluation.intervals import bounded_interval, perfect_ranking_floor
from hilum.evaluation.ranking import Ranking
from hilum.evaluation.values import Estimate

if TYPE_CHECKING:
    from hilum.audit.folds import Design

REPLICATES = 400


def macro_auroc(scores: np.ndarray, labels: np.ndarray, design: Design) -> np.ndarray:
    """Mean over the classes that have images of the AUROC of one class against the rest, for each of P label vectors.

    Args:
        scores: float `[N, P, C]`.
        labels: int `[P, N]`.

    Returns:
        float64 `[P]`.
    """
    from scipy.stats import rankdata

    ranks = rankdata(scores, axis=0)
    positive = labels.T[:, :, None] == np.array(design.columns)
    count = positive.sum(axis=0)
    beaten = (ranks * positive).sum(axis=0) - count * (count + 1) / 2
    pairs = count * (len(scores) - count)  # none where a class has no images, or all of them
    return (beaten / np.maximum(pairs, 1)).sum(axis=1) / np.maximum((pairs > 0).sum(axis=1), 1)


def macro_auroc_estimate(
    scores: np.ndarray,
    labels: np.ndarray,
    columns: Sequence[int],
    patients: Patients,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Estimate:
    """The same for one label vector, with an interval from resampling patients.

    The interval is for these scores; that another training would give others is not in it.

    Args:
        scores: float `[N, C]`, column c scores the class `columns[c]`.
        labels: int `[N]`; classes without images, or with nothing else beside them, are left out of the mean.
    """
    sides = [(column, labels == each) for column, each in enumerate(columns)]
    sides = [(column, is_it) for column, is_it in sides if is_it.any() and not is_it.all()]
    if not sides:
        return Estimate(float("nan"), float("nan"), float("nan"))
    rankings = [Ranking.of(scores[:, column], is_it) for column, is_it in sides]
    value = float(np.mean([ranking.auroc() for ranking in rankings]))

    def figures(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {"auroc": np.mean([ranking.auroc(weights) for ranking in rankings], axis=0)}

    spread = bootstrap(figures, patients, replicates=replicates, seed=seed)["auroc"]
    worth = [(patients.effective(is_it), patients.effective(~is_it)) for _, is_it in sides]
    floor = float(np.mean([perfect_ranking_floor(*each) for each in worth]))
    smallest = min(min(patients.among(is_it), patients.among(~is_it)) for _, is_it in sides)
    interval = bounded_interval(value, spread, patients=smallest, floor=floor, ceiling=1 - floor)
    return Estimate(value, interval.low, interval.high)
