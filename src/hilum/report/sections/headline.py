"""The first screen: what was asked, what came out, how sure, can it be trusted, and what it is not for."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup, escape

from hilum.evaluation.values import Estimate, Evaluation
from hilum.report.charts.intervals import find_range
from hilum.report.sections.audit import anchor_of
from hilum.report.sections.guards import find_errors
from hilum.report.sections.section import evaluated, print_number, render
from hilum.report.sections.trust import find_checks
from hilum.report.study_folder import Study
from hilum.report.words import SHARES, capitalise, end_sentence, join_words, render_count, render_metric, render_percent

NOT_FOR = (
    "This is not a medical device. It is for research and teaching, and must not be used to diagnose, to triage or to "
    "treat anyone. The figures hold for pictures made and chosen like these, and for no others."
)
SPLIT_NAMES = {"test": "test", "val": "validation"}


@dataclass(frozen=True)
class KeyFigure:
    """One figure of the first screen, by the name that is printed and the key that programs know."""

    name: str
    key: str
    estimate: Estimate
    percent: bool


def render_headline(study: Study) -> Markup:
    """The first screen."""
    evaluation = evaluated(study)
    figures = key_figures(study, evaluation) if evaluation else ()
    return render(
        "headline.html",
        study=study,
        errors=_errors(study, evaluation),
        faults=[(fault, anchor_of(fault)) for fault in study.audit.errors] if study.audit else (),
        sentence=describe_result(study),
        not_for=NOT_FOR,
        asked=_asked(study),
        figures=figures,
        ends=find_range([figure.estimate for figure in figures]) if figures else (0.0, 1.0),
        sure=_sure(evaluation) if evaluation else "",
        checks=find_checks(study),
    )


def _errors(study: Study, evaluation: Evaluation | None) -> list[str]:
    if evaluation is None:
        return []
    verdicts = [verdict.sentence for verdict in evaluation.verdicts if verdict.severity == "error"]
    return [*verdicts, *find_errors(study)]


def describe_result(study: Study) -> Markup:
    """The result in one sentence, its figures marked up."""
    evaluation, run = evaluated(study), study.chosen
    if run is None:
        return Markup(escape(capitalise(_circumstances(study, "test") + _no_result(study))))
    if evaluation is None:
        return Markup(escape(f"{run.name} was chosen, but it holds no figures: the study is not finished."))
    start = escape(capitalise(_circumstances(study, evaluation.split)))
    return start + Markup('<bdi class="run">{}</bdi> {}.').format(run.name, _achievement(study, evaluation))


def key_figures(study: Study, evaluation: Evaluation) -> tuple[KeyFigure, ...]:
    """The figures that matter most: for two classes those of the positive one, else the averages."""
    names = (
        ("auroc", "accuracy", "balanced_accuracy")
        if study.positive
        else ("accuracy", "balanced_accuracy", "auroc", "f1")
    )
    prefix = f"{study.facts.chosen_run}/{evaluation.split}"
    chosen = [
        KeyFigure(capitalise(render_metric(name)), f"{prefix}/{name}", evaluation.overall[name], name in SHARES)
        for name in names
        if name in evaluation.overall
    ]
    for entry in evaluation.per_class:
        if entry.label == study.positive:
            key = f"{prefix}/{entry.label}"
            chosen.append(KeyFigure(f"Sensitivity for {entry.label}", f"{key}/sensitivity", entry.sensitivity, True))
            chosen.append(KeyFigure(f"Specificity for {entry.label}", f"{key}/specificity", entry.specificity, True))
    return tuple(chosen)


def _circumstances(study: Study, split: str) -> str:
    drawn = "on drawn X-rays, not real ones" if study.facts.drawn else ""
    optimistic = "on validation only (optimistic)" if split == "val" else ""
    joined = " and ".join(filter(None, (drawn, optimistic)))
    return f"{joined}, " if joined else ""


def _achievement(study: Study, evaluation: Evaluation) -> Markup:
    prefix = f"{study.facts.chosen_run}/{evaluation.split}"
    accuracy = print_number(evaluation.overall["accuracy"], f"{prefix}/accuracy", percent=True)
    images = render_count(evaluation.images, f"{SPLIT_NAMES.get(evaluation.split, evaluation.split)} image")
    if study.positive is None:
        names = join_words(evaluation.labels) if len(evaluation.labels) <= 4 else f"{len(evaluation.labels)} classes"
        return Markup("names the right one of {} on {} of {}").format(names, accuracy, images)
    other = next(label for label in evaluation.labels if label != study.positive)
    auroc = print_number(evaluation.overall["auroc"], f"{prefix}/auroc")
    return Markup("reaches an AUROC of {} for {} against {}, and is right on {} of {}").format(
        auroc, study.positive, other, accuracy, images
    )


def _no_result(study: Study) -> str:
    counts = {
        status: sum(run.status == status for run in study.facts.runs) for status in ("collapsed", "failed", "skipped")
    }
    listed = join_words([f"{count} {status}" for status, count in counts.items() if count])
    return "no run of this study gave a model worth evaluating" + (f": {listed}." if listed else ".")


def _asked(study: Study) -> str:
    table = study.manifest.table
    question = f"Which of {join_words(study.labels, 'or')} does a chest X-ray show?"
    size = f"{render_count(len(table), 'image')} of {render_count(table['patient_id'].nunique(), 'patient')}"
    rule = study.facts.labels_rule or study.manifest.facts.get("labels_rule", "")
    by = rule if rule.endswith((".csv", ".tsv", ".txt", ".parquet", ".pq")) else f"the rule “{rule}”"
    return f"{question} {size}" + (f", labelled by {by}." if rule else ".")


def _sure(evaluation: Evaluation) -> str:
    level = render_percent(float(evaluation.source.get("level", 0.95)))
    replicates = evaluation.source.get("replicates")
    how = f", most of them from {replicates:,} redraws of whole patients" if replicates else ""
    return end_sentence(
        f"Brackets and whiskers are {level} intervals{how}: they say what other patients of the same kind "
        f"would do to the figures. They rest on {render_count(evaluation.images, 'image')} of "
        f"{render_count(evaluation.patients, 'patient')}, and say nothing about other hospitals or machines"
    )
