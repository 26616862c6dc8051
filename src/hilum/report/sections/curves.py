"""ROC, precision-recall and reliability of the chosen run, computed from its predictions file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hilum.data.predictions import Predictions
from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.curves import pr_curve, reliability, roc_band, roc_curve
from hilum.evaluation.metrics import ece, log_loss
from hilum.evaluation.values import ClassMetrics, Evaluation
from hilum.report.charts.palette import class_colour
from hilum.report.charts.reliability import plot_reliability
from hilum.report.charts.roc import OperatingPoint, complement, plot_precision_recall, plot_roc
from hilum.report.charts.svg import Figure
from hilum.report.sections.section import Section, name_source, render
from hilum.report.study_folder import Run, Study
from hilum.report.words import render_estimate, render_percent

CROSS = "The cross is where the network decides, with its interval each way."


@dataclass(frozen=True)
class Answers:
    """An evaluation beside the predictions that it was computed from."""

    evaluation: Evaluation
    predictions: Predictions
    patients: Patients

    @classmethod
    def of(cls, run: Run | None) -> Answers | None:
        """Those of the split that the report speaks of; None where there are none, or their file is gone."""
        return cls.on(run, run.split) if run and run.split else None

    @classmethod
    def on(cls, run: Run, split: str) -> Answers | None:
        """Those of one split."""
        evaluation, predictions = run.evaluations.get(split), run.read_predictions(split)
        if evaluation is None or predictions is None:
            return None
        return cls(evaluation, predictions, Patients.of(predictions.table["patient_id"].tolist()))

    def classes(self) -> Iterator[tuple[int, ClassMetrics]]:
        """The classes that have a curve of their own: of two, the positive one, for the other one mirrors it."""
        for position, entry in enumerate(self.evaluation.per_class):
            if self.evaluation.positive in (None, entry.label) and 0 < entry.images < self.evaluation.images:
                yield position, entry


def make_roc(study: Study) -> Section | None:
    """One small panel a class, with a band by patient and the point where the network decides; of two classes there is
    one panel, and precision and recall stand beside it.
    """
    answers = Answers.of(study.chosen)
    figures = list(plot_rocs(answers)) if answers else []
    if answers is None or not figures:
        return None
    if answers.evaluation.positive is None:
        return _section(study, "ROC", figures, f"{_compare(answers.evaluation)} {CROSS}")
    sentence = f"{_describe_point(answers.evaluation)} {_describe_ppv(answers.evaluation)} {CROSS}"
    return _section(study, "ROC, precision and recall", [*figures, *plot_precision_recalls(answers)], sentence)


def make_precision_recall(study: Study) -> Section | None:
    """One small panel a class, where there are more than two."""
    answers = Answers.of(study.chosen)
    if answers is None or answers.evaluation.positive is not None:
        return None
    figures = list(plot_precision_recalls(answers))
    return _section(study, "Precision and recall", figures, _describe_ppv(answers.evaluation)) if figures else None


def make_reliability(study: Study) -> Section | None:
    """Stated probabilities against the share that was right; before and after the temperature where there is one."""
    answers = Answers.of(study.chosen)
    if answers is None:
        return None
    title = "Can its probabilities be taken at their word?"
    temperature = float(answers.predictions.about.get("temperature", 1.0))
    if temperature == 1.0:
        return _section(study, title, [plot_confidence(answers)], _describe_reliability(answers))
    before = replace(answers, predictions=answers.predictions.with_logits(answers.predictions.logits * temperature))
    figures = [
        plot_confidence(before, "As the network says it"),
        plot_confidence(answers, f"Divided by the temperature {temperature:.2f}"),
    ]
    sentence = f"{_describe_reliability(answers)} {_describe_temperature(before, answers, temperature)}"
    return _section(study, title, figures, sentence)


def plot_rocs(answers: Answers) -> Iterator[Figure]:
    """The ROC curve of each class."""
    target, probs, source = answers.predictions.target, answers.predictions.probs, answers.evaluation.source
    settings = {"replicates": int(source.get("replicates", 1000)), "seed": int(source.get("seed", 0))}
    for i, entry in answers.classes():
        curve = roc_curve(probs[:, i], target == i)
        band = roc_band(probs[:, i], target == i, answers.patients, **settings, level=float(source.get("level", 0.95)))
        point = OperatingPoint(complement(entry.specificity), entry.sensitivity)
        yield plot_roc(curve, band, entry.label, class_colour(i), entry.auroc, point)


def plot_precision_recalls(answers: Answers) -> Iterator[Figure]:
    """The precision-recall curve of each class."""
    target, probs = answers.predictions.target, answers.predictions.probs
    for i, entry in answers.classes():
        point = OperatingPoint(entry.sensitivity, entry.ppv)
        prevalence = entry.images / answers.evaluation.images
        curve = pr_curve(probs[:, i], target == i)
        yield plot_precision_recall(curve, prevalence, entry.label, class_colour(i), entry.auprc, point)


def plot_confidence(answers: Answers, heading: str = "Stated and kept") -> Figure:
    """The reliability diagram of the answers that the network gave."""
    predictions = answers.predictions
    hit = predictions.decisions == predictions.target
    level = float(answers.evaluation.source.get("level", 0.95))
    return plot_reliability(
        reliability(predictions.probs.max(axis=1), hit, answers.patients, level=level), heading=heading
    )


def _section(study: Study, title: str, figures: Sequence[Figure], sentence: str) -> Section:
    return Section(title, render("panels.html", figures=figures, sentence=sentence, source=name_source(study)))


def _compare(evaluation: Evaluation) -> str:
    entries = [entry for entry in evaluation.per_class if math.isfinite(entry.auroc.value)]
    best, worst = max(entries, key=lambda each: each.auroc.value), min(entries, key=lambda each: each.auroc.value)
    low, high = (f"{render_estimate(entry.auroc)} ({entry.label})" for entry in (worst, best))
    apart = worst.auroc.ci_high < best.auroc.ci_low
    words = f"{worst.label} is the harder to tell from the rest" if apart else "the two intervals overlap"
    return f"AUROC goes from {low} to {high}: {words}."


def _describe_point(evaluation: Evaluation) -> str:
    entry = next(each for each in evaluation.per_class if each.label == evaluation.positive)
    found = render_estimate(entry.sensitivity, percent=True)
    alarms = render_estimate(complement(entry.specificity), percent=True)
    return f"Where it decides, it finds {found} of {entry.label}, and takes {alarms} of the others for it."


def _describe_ppv(evaluation: Evaluation) -> str:
    shown = [e for e in evaluation.per_class if evaluation.positive in (None, e.label) and math.isfinite(e.ppv.value)]
    if not shown:
        return "No class was ever called, so there is no precision."
    worst = min(shown, key=lambda each: each.ppv.value)
    share = render_percent(worst.images / evaluation.images)
    return (
        f"Of the pictures that it calls {worst.label}, {render_estimate(worst.ppv, percent=True)} are, "
        f"where {share} of all pictures are {worst.label}. Where {worst.label} is rarer, that share falls."
    )


def _describe_reliability(answers: Answers) -> str:
    stated, accuracy = float(answers.predictions.probs.max(axis=1).mean()), answers.evaluation.overall["accuracy"]
    start = (
        f"On average it states {render_percent(stated)} for its answer, and is right in "
        f"{render_estimate(accuracy, percent=True)}"
    )
    if stated > accuracy.ci_high:
        verdict = "it is too sure of itself"
    elif stated < accuracy.ci_low:
        verdict = "it is surer than it says"
    else:
        verdict = "on average the two agree within the interval"
    error = answers.evaluation.overall.get("ece")
    gap = f" The gap, averaged over the bins (ECE), is {render_estimate(error)}." if error else ""
    return f"{start}: {verdict}.{gap} A dot below the dashed line is a promise that was not kept."


def _describe_temperature(before: Answers, after: Answers, temperature: float) -> str:
    """What the temperature did, here, where it was not fitted."""
    errors, losses = (
        [float(figure(each.predictions.target, each.predictions.probs)) for each in (before, after)]
        for figure in (ece, log_loss)
    )
    split = {"val": "validation"}.get(after.evaluation.split, after.evaluation.split)
    effect = "milder" if temperature > 1 else "sharper"
    better = losses[1] < losses[0]
    verdict = (
        "So it helped here as well."
        if better
        else f"So what mended validation did harm here: the {split} pictures are not like those that it was fitted on."
    )
    return (
        f"The temperature, fitted on validation, makes all probabilities {effect} and changes no answer. On {split} it "
        f"moved the ECE from {errors[0]:.3f} to {errors[1]:.3f} and the log loss from {losses[0]:.3f} to "
        f"{losses[1]:.3f}. {verdict}"
    )
