"""The page of a model on somebody else's data: what came out, at which thresholds, and how far the pictures lie off."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hilum.data.manifest import read_manifest
from hilum.evaluation.values import Estimate, Evaluation, estimate_of, read_evaluations
from hilum.report.charts.intervals import find_range
from hilum.report.page import Chapter, render_document
from hilum.report.sections.confusion import make_confusion
from hilum.report.sections.curves import make_precision_recall, make_reliability, make_roc
from hilum.report.sections.headline import NOT_FOR, key_figures
from hilum.report.sections.mistakes import make_mistakes, make_right
from hilum.report.sections.notes import make_notes
from hilum.report.sections.per_class import make_averages, make_per_class
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Run, Study, StudyFacts
from hilum.report.words import end_sentence, join_words, render_count, render_estimate, render_percent
from hilum.report.writing import write_text

PAGE = "report.html"
FAR, NEAR = 0.3, 0.1
"""Distances of two distributions (Kolmogorov-Smirnov) that are called far, and that are called near."""

FIGURES = (
    make_confusion, make_per_class, make_roc, make_precision_recall, make_reliability, make_averages, make_mistakes,
    make_right,
)  # fmt: skip


def write_evaluation_page(folder: Path) -> Path:
    """Reads what `hilum evaluate` wrote into a folder and writes its `report.html`, renamed into place."""
    folder = Path(folder)
    return write_text(folder / PAGE, render_evaluation_page(folder))


def render_evaluation_page(folder: Path, root: Path | None = None) -> Markup:
    """The whole page.

    Args:
        root: where the pictures lie now; None where the manifest says.
    """
    document = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    study = _as_study(folder, document)
    evaluation = study.chosen.evaluations["other"] if study.chosen else None
    if evaluation is None:
        raise ValueError(folder)
    if root is not None:
        study = replace(study, manifest=replace(study.manifest, root=root))
    head = _head(study, evaluation, document)
    return render_document(study, describe_trial(evaluation), head, list(_chapters(study, document)))


def describe_trial(evaluation: Evaluation) -> str:
    """The result in one sentence."""
    images = f"{render_count(evaluation.images, 'image')} of {render_count(evaluation.patients, 'patient')}"
    accuracy = render_estimate(evaluation.overall["accuracy"], percent=True)
    auroc = evaluation.overall["auroc"]
    ranks = f", with an AUROC of {render_estimate(auroc)}" if math.isfinite(auroc.value) else ""
    return f"On somebody else's data the model is right on {accuracy} of {images}{ranks}."


def _as_study(folder: Path, document: Mapping[str, Any]) -> Study:
    """The same sections as in a report need the same value: a study with one run and no training."""
    manifest, run = (
        read_manifest(folder / "manifest.parquet"),
        Run(folder, {}, (), read_evaluations(folder / "metrics.json"), {}),
    )
    facts = StudyFacts(
        hilum=document["hilum"],
        name=document["name"],
        started=document["made"],
        labels=tuple(manifest.labels),
        chosen_run=document["model"],
    )
    return Study(folder, facts, manifest, (), (), None, (), run)


def _head(study: Study, evaluation: Evaluation, document: Mapping[str, Any]) -> Markup:
    figures = key_figures(study, evaluation)
    worthless = [verdict.sentence for verdict in evaluation.verdicts if verdict.severity == "error"]
    doubts = [verdict.sentence for verdict in evaluation.verdicts if verdict.severity != "error"]
    return render(
        "evaluation_head.html",
        errors=worthless,
        sentence=describe_trial(evaluation),
        not_for=NOT_FOR,
        figures=figures,
        ends=find_range([figure.estimate for figure in figures]),
        classes=_describe_classes(document),
        shift=describe_shift(document["shift"]),
        remarks=[end_sentence(each) for each in [*doubts, *document["remarks"]]],
    )


def _describe_classes(document: Mapping[str, Any]) -> str:
    here, there = document["counts"], document["training_counts"]
    renamed = [f"{name} counts as {label}" for name, label in document["mapping"].items() if label and label != name]
    out = [name for name, label in document["mapping"].items() if label is None]
    sentence = f"{join_words([f'{count:,} {label}' for label, count in here.items()])}."
    if renamed or out:
        left_out = [f"{join_words(out)} was left out"] if out else []
        sentence += f" {end_sentence(join_words([*renamed, *left_out]))}"
    if set(there) == set(here):
        shares = [f"{label} {render_percent(there[label] / max(sum(there.values()), 1))}" for label in here]
        own = [f"{label} {render_percent(here[label] / max(sum(here.values()), 1))}" for label in here]
        sentence += f" Shares here: {join_words(own)}; in training: {join_words(shares)}."
    return sentence


def describe_shift(shifts: list[dict[str, Any]]) -> str:
    """How far the pictures lie from those of training, in one or two sentences."""
    if not shifts:
        return "The model file does not say what its training pictures looked like, so no shift can be told."
    far = [each for each in shifts if each["distance"] > FAR]
    worst = shifts[0]
    if not far:
        near = "much like" if worst["distance"] <= NEAR else "not far from"
        return f"In brightness, contrast, border and sharpness the pictures are {near} those that it was trained on."
    listed = join_words([each["name"] for each in far])
    return (
        f"The pictures are of another kind than those that it was trained on: they differ in {listed}. In "
        f"{worst['name']} {render_percent(worst['outside'])} of them lie beyond what 95 % of the training pictures "
        "show."
    )


def _chapters(study: Study, document: Mapping[str, Any]) -> Iterator[tuple[Chapter, list[Section]]]:
    thresholds = list(_thresholds(document))
    if thresholds:
        yield Chapter("thresholds", "At other thresholds", ()), thresholds
    yield Chapter("figures", "The figures", ()), [section for make in FIGURES if (section := make(study))]
    if document["shift"]:
        rows = [{**each, "percent_outside": render_percent(each["outside"])} for each in document["shift"]]
        html = render("shift.html", rows=rows, sentence=describe_shift(document["shift"]))
        yield Chapter("shift", "How far the pictures lie off", ()), [Section("Beside the training pictures", html)]
    notes = make_notes(study)
    if notes:
        yield Chapter("notes", "How to read the figures", ()), [notes]


def _thresholds(document: Mapping[str, Any]) -> Iterator[Section]:
    if document["points"]:
        sentence = "The thresholds were fitted on the model's own validation split; nothing was fitted on these images."
        yield _points("The thresholds of the model file", document["points"], sentence, document["prevalence"])
    again = document["recalibration"]
    if again:
        before, after = (
            {name: estimate_of(each) for name, each in again[when].items()} for when in ("before", "after")
        )
        html = render(
            "recalibration.html", again=again, before=before, after=after, names=("log_loss", "ece", "accuracy")
        )
        yield Section("After recalibration", html)
        sentence = (
            f"Fitted on {render_count(again['fitted_on']['images'], 'image')}, tried on the patients that were left."
        )
        yield _points("Thresholds after recalibration", again["points"], sentence, document["prevalence"])


def _points(title: str, points: list[dict[str, Any]], sentence: str, prevalence: float | None) -> Section:
    rows = [
        {
            **each,
            "figures": {name: estimate_of(each[name]) for name in ("accuracy", "sensitivity", "specificity")}
            | _predictive(each, prevalence),
        }
        for each in points
    ]
    where = f"where {render_percent(prevalence, of=1000)} of the people have it" if prevalence else "among these images"
    return Section(title, render("other_points.html", rows=rows, sentence=sentence, where=where))


def _predictive(point: Mapping[str, Any], prevalence: float | None) -> dict[str, Estimate]:
    source = point["at_prevalence"] if prevalence else point
    return {name: estimate_of(source[name]) for name in ("ppv", "npv")}
