"""Validation minus test, taken apart."""

from __future__ import annotations

import json
import math

from hilum.audit.gap import Gap
from hilum.evaluation.values import Estimate
from hilum.report.charts.gap import plot_parts
from hilum.report.sections.section import Section, name_source, render
from hilum.report.study_folder import Study
from hilum.report.words import render_difference, render_estimate, render_percent

FILE = "gap.json"
PARTS = {
    "leakage": "Patients on both sides",
    "proportions": "Other class proportions",
    "shift": "Other pictures",
}


def make_gap(study: Study) -> Section | None:
    """The gap and its parts with their intervals, where the test split was opened."""
    path = study.chosen.folder / FILE if study.chosen else None
    if path is None or not path.exists():
        return None
    gap = Gap.from_json(json.loads(path.read_text(encoding="utf-8")))
    parts = {"Validation minus test": gap.total, **{words: getattr(gap, name) for name, words in PARTS.items()}}
    html = render(
        "panels.html",
        figures=[plot_parts(parts, gap.chance)],
        sentence=f"{_describe(gap)} {_describe_mixing(gap)} {_describe_probe(gap)}".strip(),
        source=name_source(study),
    )
    return Section("Why test differs from validation", html)


def _points(estimate: Estimate) -> str:
    return f"{render_difference(estimate, points=True)} points"


def _describe(gap: Gap) -> str:
    start = f"Accuracy on validation is {_points(gap.total)} above that on test."
    if gap.chance.ci_low <= gap.total.value <= gap.chance.ci_high:
        return f"{start} Chance alone gives as much, so there may be nothing to explain."
    name, largest = max(((each, getattr(gap, each)) for each in PARTS), key=lambda item: abs(item[1].value))
    if name == "shift":
        why = "the pictures of a class are not of the same kind on either side"
    elif name == "leakage":
        why = "patients stand on both sides, so validation is too good"
    else:
        why = "the classes are not equally frequent on either side"
    return f"{start} That is more than chance would give. The largest part, {_points(largest)}, is that {why}."


def _describe_mixing(gap: Gap) -> str:
    gained = _points(gap.random_split)
    if gap.leaked:
        return (
            f"{render_percent(gap.leaked)} of the validation images have their patient, or the very file, in training. "
            f"A probe that remembers gains {gained} from such a split."
        )
    return f"No patient stands on both sides; a split that ignores patients would have given a probe {gained} more."


def _describe_probe(gap: Gap) -> str:
    if not (math.isfinite(gap.probe_inside.value) and math.isfinite(gap.probe_test.value)):
        return ""
    inside, outside = render_estimate(gap.probe_inside), render_estimate(gap.probe_test)
    return (
        f"A linear probe on pictures of 28 by 28 pixels, which knows nothing of this network, has an AUROC of {inside} "
        f"across patients of training and validation and of {outside} on test."
    )
