"""Whether the result can be trusted: what can be checked from the study folder, each as a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from hilum.evaluation.values import Evaluation
from hilum.report.sections.guards import read_guards
from hilum.report.sections.section import evaluated
from hilum.report.study_folder import Study
from hilum.report.words import (
    SHARES,
    capitalise,
    end_sentence,
    join_words,
    render_count,
    render_estimate,
    render_metric,
    render_percent,
    render_times,
)

FEW_IMAGES = 100
"""Below this many images of a class an interval of its sensitivity is wider than about 15 points."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Args:
        passed: whether all is well.
        sentence: what was found.
    """

    passed: bool
    sentence: str


def find_checks(study: Study) -> tuple[Check, ...]:
    """Everything that speaks for or against the figures, the most important first."""
    checks = [_check_patients(study), _check_files(study), *_check_audit(study)]
    evaluation = evaluated(study)
    if evaluation is not None:
        checks += [_check_openings(study, evaluation), *_check_answers(evaluation), *_check_baseline(evaluation)]
        checks += [*_check_gap(study), *_check_sizes(evaluation), *_check_guards(study)]
    return tuple(checks)


def majority(evaluation: Evaluation) -> tuple[str, float]:
    """The most frequent true class, and how often always answering it would be right."""
    sizes = [sum(row) for row in evaluation.confusion]
    largest = max(range(len(sizes)), key=sizes.__getitem__)
    return evaluation.labels[largest], sizes[largest] / max(sum(sizes), 1)


def count_shared(study: Study, column: str) -> int:
    """Values of a manifest column that occur in more than one split."""
    known = study.manifest.table[study.manifest.table[column].astype(str) != ""]
    return int((known.groupby(column)["split"].nunique() > 1).sum())


def _check_patients(study: Study) -> Check:
    shared = count_shared(study, "patient_id")
    if shared:
        return Check(
            False,
            f"{render_count(shared, 'patient')} {_stand(shared)} in more than one split: the figures are too good.",
        )
    alone = int(study.manifest.facts.get("patient_rule", {}).get("images_without_patient", 0))
    if alone == len(study.manifest):
        return Check(False, "No image has a known patient, so nothing kept two images of one patient apart.")
    return Check(True, "No patient stands in more than one split, as far as the patient key is right.")


def _stand(count: int) -> str:
    return "stands" if count == 1 else "stand"


def _check_files(study: Study) -> Check:
    shared = count_shared(study, "sha256")
    if shared:
        return Check(False, f"{render_count(shared, 'file')} {_stand(shared)}, byte for byte, in more than one split.")
    return Check(True, "No file stands in more than one split.")


def _check_audit(study: Study) -> Iterator[Check]:
    """Errors of the audit stand above everything else; this line tells of the rest."""
    if study.audit is None:
        return
    failed = [part["name"] for part in study.audit.facts.get("parts", ()) if part.get("failed")]
    if failed:
        yield Check(False, f"A part of the audit failed: {join_words(failed)}. What it looks for was not looked for.")
    found = {
        severity: sum(each.severity == severity for each in study.audit.findings) for severity in ("error", "warning")
    }
    if any(found.values()):
        listed = join_words([render_count(count, severity) for severity, count in found.items() if count])
        yield Check(False, f"The audit of the data found {listed}: see its chapter.")
    else:
        yield Check(True, "The audit of the data found no error and nothing to warn of.")


def _check_openings(study: Study, evaluation: Evaluation) -> Check:
    if evaluation.split == "val":
        sentence = "There is no test figure. Validation chose the run and its epoch, so its figure is optimistic."
        return Check(False, sentence)
    if study.broken_ledger_line is not None:
        return Check(False, f"The ledger was changed after it was written: see its line {study.broken_ledger_line}.")
    openings = [opening for opening in study.ledger if opening.split == "test"]
    opened = len(openings)
    elsewhere = sum(int(each["openings"]) for each in study.facts.other_openings)
    if opened and elsewhere:
        looks = f"other studies beside it looked at the same images {render_times(elsewhere)}"
        return Check(False, f"The test split was opened {render_times(opened)} here, but {looks}; see the ledger.")
    if opened == 1:
        return Check(True, "The test split was opened once, for the run that validation had chosen.")
    if opened == 0:
        return Check(False, "The ledger does not say when the test split was opened.")
    if len({opening.model_sha256 for opening in openings}) == 1:
        later = "a later look" if opened == 2 else f"{opened - 1} later looks"
        opened_for = "The test split was opened for the run that validation had chosen"
        return Check(True, f"{opened_for}; {later} at the same model chose nothing.")
    return Check(
        False, f"The test split was opened {render_times(opened)}; each further look makes its figures more optimistic."
    )


def _check_answers(evaluation: Evaluation) -> Iterator[Check]:
    for verdict in evaluation.verdicts:
        if verdict.severity != "error":  # those stand above everything else
            yield Check(False, end_sentence(verdict.sentence))
    if not evaluation.verdicts:
        yield Check(True, "The answers depend on what the pictures show, and every answer is not the same.")


def _check_baseline(evaluation: Evaluation) -> Iterator[Check]:
    label, share = majority(evaluation)
    accuracy = evaluation.overall.get("accuracy")
    if accuracy is None or not math.isfinite(accuracy.ci_low):
        return
    better = accuracy.ci_low > share
    words = "less than this network" if better else "which this network does not surely beat"
    yield Check(better, f"Always answering {label} would be right for {render_percent(share)}, {words}.")


def _check_gap(study: Study) -> Iterator[Check]:
    evaluations = study.chosen.evaluations if study.chosen else {}
    if not {"val", "test"} <= set(evaluations):
        return
    name = "auroc" if study.positive and "auroc" in evaluations["test"].overall else "accuracy"
    val, test = (evaluations[split].overall.get(name) for split in ("val", "test"))
    if val is None or test is None or not (math.isfinite(val.ci_low) and math.isfinite(test.ci_high)):
        return
    before, after = (render_estimate(each, percent=name in SHARES) for each in (val, test))
    both = capitalise(f"{render_metric(name)} was {before} on validation and {after} on test")
    if test.ci_high < val.ci_low:
        yield Check(False, f"{both}: the test pictures are harder or of another kind than those it learned from.")
    else:
        yield Check(True, f"{both}: the intervals overlap.")


def _check_guards(study: Study) -> Iterator[Check]:
    findings = read_guards(study)
    if findings is None:
        return
    for finding in findings:
        if finding.severity != "error":  # those stand above everything else
            yield Check(False, end_sentence(finding.sentence))
    if not any(finding.code in ("not-reproduced", "not-rescored") for finding in findings):
        yield Check(True, "Loaded anew in a process of its own, the saved model gives the answers that were evaluated.")
    if not findings:
        yield Check(True, "Files, splits, figures and training fit together: no guard found anything.")


def _check_sizes(evaluation: Evaluation) -> Iterator[Check]:
    few = [entry for entry in evaluation.per_class if entry.images < FEW_IMAGES]
    if few:
        split = {"val": "validation"}.get(evaluation.split, evaluation.split)
        listed = join_words([f"{entry.images:,} of {entry.label}" for entry in few])
        if len(few) > 3:
            listed = f"{len(few)} classes have fewer than {FEW_IMAGES}"
        yield Check(False, f"Few {split} images: {listed}. Look at their intervals before their figures.")
