"""What a study knows about how the model does, and what was not tried."""

from __future__ import annotations

from hilum.report.checklist.fact import (
    HEAT_MAPS,
    NOT_DONE,
    PARTLY,
    REPORTED,
    SPLITS,
    Fact,
    at,
    describe_groups,
    evaluation_of,
    fact,
    groups_of,
    no_model,
)
from hilum.report.sections.trust import find_checks
from hilum.report.study_folder import Study
from hilum.report.words import join_words, render_count, render_estimate, render_metric, render_times


@fact
def metrics(study: Study) -> Fact:
    evaluation = evaluation_of(study)
    if evaluation is None:
        return no_model()
    names = join_words([render_metric(name) for name in evaluation.overall])
    text = f"{names}, with ROC, precision-recall and reliability curves; each says how it was averaged."
    return Fact(REPORTED, text, at(study, "#chosen", "#notes", "RUN/metrics.json"))


@fact
def uncertainty(study: Study) -> Fact:
    evaluation = evaluation_of(study)
    if evaluation is None:
        return no_model()
    replicates = evaluation.source.get("replicates")
    how = f"a bootstrap of whole patients ({replicates:,} redraws)" if replicates else "a bootstrap of whole patients"
    text = f"95 % intervals over patients at every figure: Wilson's with the design effect of patients, else {how}."
    compared = at(study, "comparison.json")
    if compared:
        text += " Runs are compared in pairs (McNemar; DeLong with Holm's correction)."
    return Fact(REPORTED, text, (*at(study, "#notes"), *compared))


@fact
def robustness(study: Study) -> Fact:
    gap, probes = at(study, "RUN/gap.json"), study.audit is not None
    if not gap and not probes:
        return Fact(NOT_DONE, "Nothing was changed to see whether the result holds.")
    parts = [
        "the difference of validation and test was taken apart" if gap else "",
        "the audit tried whether the class can be told from borders, corners and file headers" if probes else "",
    ]
    text = f"In part: {join_words([part for part in parts if part])}. The model was not tried on damaged pictures."
    return Fact(PARTLY, text, (*at(study, "#audit"), *gap))


@fact
def explained(study: Study) -> Fact:
    exam = at(study, HEAT_MAPS)
    if not exam:
        return Fact(NOT_DONE, "No heat maps or other explanations of single answers were made in this study.")
    text = "Heat maps of the chosen model, with an exam of whether they show what the model looks at."
    return Fact(REPORTED, text, (*at(study, "#inspection"), *exam))


@fact
def internal(study: Study) -> Fact:
    evaluation = evaluation_of(study)
    if evaluation is None:
        return no_model()
    opened = sum(each.split == "test" for each in study.ledger)
    if evaluation.split != "test":
        text = "Only on validation, which chose the model: optimistic. The test split was not opened."
        return Fact(PARTLY, text, at(study, "#chosen"))
    text = f"On a test split of the same collection, opened {render_times(opened)} according to the ledger."
    others = sum(int(each["openings"]) for each in study.facts.other_openings)
    if others:
        text += f" Other studies opened the same images {render_times(others)}."
    return Fact(REPORTED, text, at(study, "#test", "#chosen", "ledger.jsonl"))


@fact
def external(study: Study) -> Fact:
    tried = [each for each in study.ledger if each.split not in ("test", "val")]
    if not tried:
        return Fact(NOT_DONE, "No data from elsewhere were tried; `hilum evaluate` does that.")
    text = f"Other data were looked at {render_times(len(tried))}; whether they come from elsewhere is yours to say."
    return Fact(PARTLY, text, at(study, "#test", "ledger.jsonl"))


@fact
def performance(study: Study) -> Fact:
    evaluation = evaluation_of(study)
    if evaluation is None:
        return no_model()
    figures = [
        f"{render_metric(name)} {render_estimate(evaluation.overall[name], percent=name != 'auroc')}"
        for name in ("accuracy", "balanced_accuracy", "auroc")
    ]
    where = SPLITS.get(evaluation.split, evaluation.split)
    text = f"{join_words(figures)} on {where} ({render_count(evaluation.images, 'image')})."
    if evaluation.split != "test":
        return Fact(PARTLY, f"{text} Validation chose the model, so this is optimistic.", at(study, "#chosen"))
    groups = groups_of(study)
    text += f" By group: {describe_groups(groups)}." if groups else " Groups of people were not looked at."
    return Fact(REPORTED if groups else PARTLY, text, at(study, "#chosen", "RUN/metrics.json", "RUN/model-card.md"))


@fact
def diagnostic(study: Study) -> Fact:
    evaluation = evaluation_of(study)
    if evaluation is None:
        return no_model()
    listed = [
        f"{entry.label} {render_estimate(entry.sensitivity, percent=True)} and "
        f"{render_estimate(entry.specificity, percent=True)}"
        for entry in evaluation.per_class
    ]
    where = SPLITS.get(evaluation.split, evaluation.split)
    text = f"Sensitivity and specificity on {where}: {join_words(listed)}."
    return Fact(REPORTED, text, at(study, "#chosen", "RUN/metrics.json"))


@fact
def failures(study: Study) -> Fact:
    evaluation = evaluation_of(study)
    if evaluation is None:
        return no_model()
    wrong = evaluation.images - sum(row[i] for i, row in enumerate(evaluation.confusion))
    text = f"{render_count(wrong, 'image')} of {evaluation.images:,} were called wrong; the surest mistakes are shown. "
    return Fact(PARTLY, f"{text}Why, a radiologist has to say.", at(study, "#chosen", "RUN/model-card.md"))


@fact
def limitations(study: Study) -> Fact:
    cautions = [check.sentence for check in find_checks(study) if not check.passed]
    faults = [finding.title for finding in study.audit.findings if finding.severity != "note"] if study.audit else []
    parts = [
        f"The report warns of {render_count(len(cautions), 'thing')} beside its headline." if cautions else "",
        f"The audit found: {join_words(faults)}." if faults else "",
        "No audit of the data was made." if study.audit is None else "",
        "What that means for your question is yours to discuss.",
    ]
    return Fact(PARTLY, " ".join(part for part in parts if part), at(study, "#audit", "RUN/model-card.md"))


@fact
def clusters(study: Study) -> Fact:
    groups = groups_of(study)
    if not groups:
        text = "Figures were not split by place or group: the manifest knows only one of each."
        return Fact(NOT_DONE, text, at(study, "#data"))
    text = f"Share called right, by group: {describe_groups(groups)}."
    return Fact(REPORTED, text, at(study, "RUN/model-card.md"))


@fact
def updating(study: Study) -> Fact:
    return Fact(REPORTED, "None: nothing was adjusted after the test split was opened.", at(study, "#test"))


@fact
def fairness(study: Study) -> Fact:
    groups = groups_of(study)
    if not groups:
        return Fact(NOT_DONE, "Nothing was done about fairness, and no group of people is known in these data.")
    text = f"Nothing was done in training; figures by group were looked at: {describe_groups(groups)}."
    return Fact(PARTLY, text, at(study, "RUN/model-card.md"))
