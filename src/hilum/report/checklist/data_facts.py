"""What a study knows about its data."""

from __future__ import annotations

from hilum.report.checklist.fact import (
    ACROSS,
    DEMOGRAPHIC,
    NOT_DONE,
    PARTLY,
    REPORTED,
    SPLITS,
    TAKEN,
    YOURS,
    Fact,
    at,
    describe_classes,
    describe_left_out,
    describe_size,
    fact,
    known_columns,
)
from hilum.report.page import REPORT
from hilum.report.sections.audit import anchor_of
from hilum.report.sections.trust import count_shared
from hilum.report.study_folder import Study
from hilum.report.words import join_words, render_count


@fact
def sources(study: Study) -> Fact:
    counts = study.manifest.table["source"].fillna("").astype(str).value_counts().sort_index()
    listed = join_words([f"{name or 'unnamed'} ({count:,} images)" for name, count in counts.items()])
    drawn = " These are drawn X-rays, not real ones." if study.facts.drawn else ""
    text = f"Folders or sources: {listed}.{drawn} Hospitals, dates and whom they stand for are yours to name."
    return Fact(PARTLY, text, at(study, "#data", "manifest.parquet"))


@fact
def eligibility(study: Study) -> Fact:
    text = f"{describe_left_out(study)} Who was eligible in the first place is yours to say."
    return Fact(PARTLY, text, at(study, "#data", "quarantine.csv"))


@fact
def subset(study: Study) -> Fact:
    text = f"All images that could be read were used: {describe_size(study)}. {describe_left_out(study)}"
    return Fact(REPORTED, text, at(study, "#data", "quarantine.csv"))


@fact
def missing(study: Study) -> Fact:
    rule = study.manifest.facts.get("patient_rule", {})
    alone = int(rule.get("images_without_patient", 0))
    nobody = f"{render_count(alone, 'image').capitalize()} had no known patient"
    text = f"{describe_left_out(study)} Nothing was filled in. {nobody}"
    return Fact(REPORTED, f"{text}, and each of those counts as a patient of its own.", at(study, "#data"))


@fact
def acquisition(study: Study) -> Fact:
    known = known_columns(study, TAKEN)
    if not known:
        return Fact(YOURS, "The files say nothing of machine, view or protocol.", at(study, "#data"))
    text = f"The files name {join_words(known)}; the protocol is yours to describe."
    return Fact(PARTLY, text, at(study, "#data", "manifest.parquet"))


@fact
def labels(study: Study) -> Fact:
    rule = study.facts.labels_rule or str(study.manifest.facts.get("labels_rule", "unknown"))
    text = (
        f"Classes {join_words(study.labels)}, read from the data by the rule “{rule}”. How a person came to that "
        "label, and when, is yours to say."
    )
    return Fact(PARTLY, text, at(study, "#data"))


@fact
def agreement(study: Study) -> Fact:
    found = study.audit.of("suspected-labels") if study.audit else ()
    if not found:
        return Fact(YOURS, "The study has one label an image, and no second reader.")
    text = f"The study has one label an image. {found[0].sentence} A second reading is yours to report."
    return Fact(PARTLY, text, (f"{REPORT}#{anchor_of(found[0])}" if found[0].severity != "note" else "audit.json",))


@fact
def partitions(study: Study) -> Fact:
    counts = study.manifest.counts().sum(axis=1)
    total = max(int(counts.sum()), 1)
    listed = [f"{SPLITS[str(name)]} {count:,} ({100 * count / total:.0f} %)" for name, count in counts.items()]
    rule = str(study.manifest.facts.get("split_rule", "")).strip()
    text = f"{rule} Images: {join_words(listed)}. Validation chose, test only reports."
    return Fact(REPORTED, text.strip(), at(study, "#data", "manifest.parquet"))


@fact
def disjoint(study: Study) -> Fact:
    shared, files = count_shared(study, "patient_id"), count_shared(study, "sha256")
    rule = study.manifest.facts.get("patient_rule", {})
    if shared or files:
        text = f"Not by patient: {render_count(shared, 'patient')} and {render_count(files, 'file')} in several parts."
        return Fact(NOT_DONE, text, at(study, "#data"))
    if int(rule.get("images_without_patient", 0)) == len(study.manifest):
        return Fact(
            NOT_DONE, "No image has a known patient; only identical files were kept together.", at(study, "#data")
        )
    told = str(rule.get("sentence", "")).replace("`", "")
    text = f"By patient, told apart by {told}; no known patient and no identical file is in two parts."
    alone = int(rule.get("images_without_patient", 0))
    if alone:
        text += f" {alone:,} images have no known patient, and nothing keeps two of one person apart."
    doubts = [each for code in ACROSS for each in (study.audit.of(code) if study.audit else ())]
    text += "".join(f" The audit: {each.sentence}" for each in doubts)
    return Fact(PARTLY if alone or doubts else REPORTED, text, at(study, "#data", *(["#audit"] if doubts else [])))


@fact
def sample_size(study: Study) -> Fact:
    found = study.audit.of("what-the-sets-can-decide") if study.audit else ()
    decided = f" {found[0].sentence}" if found else ""
    text = f"No number was computed beforehand by this study; `hilum plan` computes one.{decided}"
    return Fact(NOT_DONE, text, ("audit.json",) if found else ())


@fact
def flow(study: Study) -> Fact:
    text = f"{describe_size(study)}; {describe_classes(study)}. {describe_left_out(study)}"
    return Fact(REPORTED, text, at(study, "#data", "quarantine.csv"))


@fact
def demographics(study: Study) -> Fact:
    known = known_columns(study, DEMOGRAPHIC)
    if not known:
        return Fact(YOURS, "The files know neither age nor sex of anybody.", at(study, "#data"))
    text = f"The manifest holds {join_words(known)} of the patients; symptoms and illness beside the label are yours."
    return Fact(PARTLY, text, at(study, "#data", "manifest.parquet"))


@fact
def shift(study: Study) -> Fact:
    if study.audit is None:
        return Fact(
            NOT_DONE, "Without an audit, test pictures were not compared with those of training.", at(study, "#data")
        )
    codes = [each for each in study.audit.findings if "test" in each.title.casefold()]
    found = f" The audit found: {join_words([each.title for each in codes])}." if codes else ""
    text = f"Class counts of each part are listed, and pictures of test and training were compared.{found}"
    return Fact(PARTLY, f"{text} Differences of care and people are yours to name.", at(study, "#data", "#audit"))


@fact
def numbers(study: Study) -> Fact:
    counts, patients = study.manifest.counts(), study.manifest.table.groupby("split")["patient_id"].nunique()
    listed = [
        f"{SPLITS[str(split)]} {join_words([f'{int(row[label]):,} {label}' for label in study.labels])} of "
        f"{render_count(int(patients[split]), 'patient')}"
        for split, row in counts.iterrows()
    ]
    return Fact(REPORTED, f"{'; '.join(listed)}.", at(study, "#data"))


@fact
def predictors(study: Study) -> Fact:
    return Fact(REPORTED, "The pixels of one picture, all of them; nothing else about the patient.", at(study, "#data"))


@fact
def unjudged(study: Study) -> Fact:
    return Fact(REPORTED, "No predictor needs a person's judgement: they are pixels.")
