"""Operating points: thresholds fitted on validation, and what each gives on the split of the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hilum.evaluation.thresholds import OperatingPoint
from hilum.evaluation.values import Estimate, estimate_of
from hilum.report.charts.palette import class_colour
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Study
from hilum.report.words import end_sentence, render_estimate

FILE = "calibration.json"
SHOWN = ("accuracy", "sensitivity", "specificity", "ppv", "npv")
SPLIT_WORDS = {"val": "validation"}


@dataclass(frozen=True)
class PointRow:
    """A line of the table: a rule, the colour of its class, and its figures by name."""

    point: OperatingPoint
    colour: str
    figures: Mapping[str, Estimate]
    rule: str


def make_points(study: Study) -> Section | None:
    """A table of thresholds with what they gave where they were fitted, and what they give here."""
    run = study.chosen
    path = run.folder / FILE if run else None
    if run is None or path is None or not path.exists():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    split = "test" if "test" in document["gives"] else "val"
    points = {(each["name"], each["label"]): OperatingPoint.from_json(each) for each in document["points"]}
    rows = [_row(study, points[each["name"], each["label"]], each) for each in document["gives"][split]]
    if not rows:
        return None
    return Section(
        "Where to draw the line",
        render(
            "points.html",
            rows=rows,
            shown=SHOWN,
            split=SPLIT_WORDS.get(split, split),
            sentence=_describe(rows, split),
            prefix=f"{run.name}/{split}",
            source=f"{run.name}/{FILE}",
        ),
    )


def _row(study: Study, point: OperatingPoint, given: Mapping[str, Any]) -> PointRow:
    figures = {name: estimate_of(given[name]) for name in SHOWN if name in given}  # earlier studies have no accuracy
    return PointRow(point, class_colour(study.labels.index(point.label)), figures, end_sentence(point.sentence))


def _describe(rows: list[PointRow], split: str) -> str:
    start = (
        "A threshold other than the most probable class trades missed pictures for false alarms. Each was fitted on "
        "validation only"
    )
    if split == "val":
        return f"{start}; the figures here are of the same images, hence optimistic."
    promised = [row for row in rows if row.point.name.startswith("sensitivity-")]
    if not promised:
        return f"{start}, and this is what it gives on test."
    worst = min(promised, key=lambda row: row.figures["sensitivity"].value - row.point.sensitivity)
    found, goal = worst.figures["sensitivity"], worst.point.name.removeprefix("sensitivity-")
    verdict = "the promise was not kept" if found.ci_high < float(goal) / 100 else "the promise is within the interval"
    return (
        f"{start}, and this is what it gives on test. The one that was to find {goal} % of {worst.point.label} found "
        f"{render_estimate(found, percent=True)}: {verdict}."
    )
