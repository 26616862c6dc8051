"""Predictions -> Evaluation: every figure with its interval, what it averages, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hilum.data.predictions import Predictions
from hilum.errors import DataError, UsageError
from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.estimates import Estimates
from hilum.evaluation.figures import AVERAGED, OVERALL, PER_CLASS, Figures
from hilum.evaluation.guards import find_verdicts
from hilum.evaluation.metrics import ECE_BINS
from hilum.evaluation.values import ClassMetrics, Evaluation
from hilum.labels import LabelSet

CLASS_INTERVALS = (
    "Each class against all others. Shares (sensitivity, specificity, PPV, NPV): Wilson interval on the effective "
    "number of images (images / design effect of patients), exact binomial on patients where none or all are hits. "
    "F1, AUROC, AUPRC: patient-level bootstrap on the logit scale, no tighter than a perfect score on as many patients "
    "allows."
)


def evaluate(
    predictions: Predictions,
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
    source: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Everything that one predictions table says about a model on one split.

    The same table gives the same figures in any order of its rows.

    Args:
        seed, replicates: of the patient-level bootstrap.
        level: coverage of the intervals, in (0, 1).
        source: where the table is from, such as `predictions` and `predictions_sha256`; kept in the result.

    Raises:
        DataError: no image.
        UsageError: a level or a number of replicates that makes no interval.
    """
    if not len(predictions):
        raise DataError("predictions", expected="at least one image", found="none")
    if not (0 < level < 1 and replicates >= 2):
        raise UsageError("interval", expected="0 < level < 1, 2 replicates", found=f"{level}, {replicates}")
    labels, target = predictions.labels, predictions.target
    figures = Figures(target, predictions.probs, labels.index(labels.positive) if labels.is_binary else None)
    patients = Patients.of(predictions.table["patient_id"].tolist())
    estimates = Estimates(figures, patients, replicates=replicates, seed=seed, level=level)
    overall = {name: estimates.overall(name) for name in OVERALL}
    split = "+".join(sorted(set(predictions.table["split"].astype(str))))
    return Evaluation(
        split=split,
        labels=labels.names,
        positive=labels.positive if labels.is_binary else None,
        images=len(target),
        patients=patients.count,
        confusion=tuple(tuple(int(cell) for cell in row) for row in figures.confusion),
        overall={name: estimate for name, (estimate, _) in overall.items()},
        averaging={name: f"{averaging(name, labels, figures)}; {basis}" for name, (_, basis) in overall.items()},
        per_class=tuple(_class_metrics(estimates, labels, position) for position in range(len(labels))),
        verdicts=find_verdicts(
            figures.confusion,
            labels.names,
            split=split,
            effective_images=patients.effective(np.ones(len(target), bool)),
            auroc=overall["auroc"][0],
        ),
        source={
            "seed": seed,
            "replicates": replicates,
            "level": level,
            "class_intervals": CLASS_INTERVALS,
            **(source or {}),
        },
    )


def averaging(name: str, labels: LabelSet, figures: Figures) -> str:
    """In words, what an overall figure is taken over."""
    fixed = {
        "accuracy": "share of all images called right",
        "ece": f"top label, {ECE_BINS} bins of equal width",
        "log_loss": "mean over images of -ln(probability of the true class)",
        "kappa": "unweighted, over all images",
        "brier": f"mean over images of the sum over {len(labels)} classes of squared differences",
    }
    if name == "brier" and labels.is_binary:
        return f"mean over images of (probability of {labels.positive} - truth)^2"
    if name in fixed:
        return fixed[name]
    if labels.is_binary and name in PER_CLASS:
        return f"{labels.positive} against {next(each for each in labels if each != labels.positive)}"
    kind = "mean of the sensitivities" if name == "balanced_accuracy" else "macro"
    return f"{kind} over {_classes(labels, figures)}" if name in AVERAGED else name


def _classes(labels: LabelSet, figures: Figures) -> str:
    absent = [label for position, label in enumerate(labels) if position not in figures.present]
    if not absent:
        return f"{len(labels)} classes"
    return f"{len(figures.present)} of {len(labels)} classes (no image of {', '.join(absent)})"


def _class_metrics(estimates: Estimates, labels: LabelSet, position: int) -> ClassMetrics:
    is_it = estimates.figures.target == position
    return ClassMetrics(
        label=labels.names[position],
        images=int(is_it.sum()),
        patients=estimates.patients.among(is_it),
        **{name: estimates.of_class(name, position)[0] for name in PER_CLASS},
    )
