"""Each class against the others, and all averages."""

from __future__ import annotations

import math
from collections.abc import Callable

from hilum.evaluation.values import ClassMetrics, Estimate, Evaluation
from hilum.report.charts.intervals import find_range
from hilum.report.charts.palette import class_colour
from hilum.report.sections.notes import PER_CLASS, refer
from hilum.report.sections.section import Section, evaluated, name_source, render
from hilum.report.study_folder import Study
from hilum.report.words import SHARES, join_words, render_estimate

COLUMNS: dict[str, Callable[[ClassMetrics], Estimate]] = {
    "sensitivity": lambda entry: entry.sensitivity,
    "specificity": lambda entry: entry.specificity,
    "ppv": lambda entry: entry.ppv,
    "f1": lambda entry: entry.f1,
    "auroc": lambda entry: entry.auroc,
    "auprc": lambda entry: entry.auprc,
}

NOT_DRAWN = ("ece", "brier", "log_loss", "kappa")
"""Figures that do not go from bad at 0 to good at 1: no marks on one scale with the others."""


def make_per_class(study: Study) -> Section | None:
    """A table of the figures of each class, every one with its interval as a number and as a mark."""
    evaluation = evaluated(study)
    if evaluation is None:
        return None
    every = [get(entry) for get in COLUMNS.values() for entry in evaluation.per_class]
    return Section(
        "Each class",
        render(
            "per_class.html",
            rows=[(entry, class_colour(i)) for i, entry in enumerate(evaluation.per_class)],
            columns=[(name, name in SHARES, get) for name, get in COLUMNS.items()],
            ends=find_range(every),
            sentence=describe_classes(evaluation),
            note=refer(evaluation, PER_CLASS),
            prefix=f"{study.facts.chosen_run}/{evaluation.split}",
            source=name_source(study),
        ),
    )


def make_averages(study: Study) -> Section | None:
    """Every figure over all classes, with a footnote on how it was averaged."""
    evaluation = evaluated(study)
    if evaluation is None:
        return None
    return Section(
        "All classes together",
        render(
            "averages.html",
            rows=[(name, name in SHARES, each, refer(evaluation, name)) for name, each in evaluation.overall.items()],
            ends=find_range([each for name, each in evaluation.overall.items() if name not in NOT_DRAWN]),
            not_drawn=NOT_DRAWN,
            prefix=f"{study.facts.chosen_run}/{evaluation.split}",
            source=name_source(study),
        ),
    )


def describe_classes(evaluation: Evaluation) -> str:
    """Which class is found least often, and whether that can be told."""
    known = [entry for entry in evaluation.per_class if math.isfinite(entry.sensitivity.value)]
    if len(known) < 2:
        return "Too few classes have images to be compared."
    least = min(known, key=lambda entry: entry.sensitivity.value)
    close = [each for each in known if each is not least and each.sensitivity.ci_low <= least.sensitivity.ci_high]
    figure = render_estimate(least.sensitivity, percent=True)
    if not close:
        return (
            f"The class found least often is {least.label}: its sensitivity, {figure}, lies below that of every other."
        )
    others = "the others" if len(close) == len(known) - 1 > 1 else join_words([each.label for each in close])
    return (
        f"The lowest sensitivity, {figure}, is that of {least.label}, but its interval overlaps with that of {others}."
    )
