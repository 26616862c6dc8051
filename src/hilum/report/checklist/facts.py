"""What a study knows about the items: one function a fact, each with its evidence.

A fact is `reported` only where the study holds it; `partly` where a person has to add what no file knows; `not done`
where the study could have done it and did not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hilum.evaluation.subgroups import Subgroup, find_subgroups
from hilum.evaluation.values import Evaluation
from hilum.report.page import CHAPTERS, REPORT
from hilum.report.sections.audit import anchor_of
from hilum.report.sections.headline import NOT_FOR
from hilum.report.sections.trust import count_shared, find_checks
from hilum.report.study_folder import Study
from hilum.report.words import join_words, render_count, render_estimate, render_metric, render_times

REPORTED, PARTLY, NOT_DONE, YOURS, ANSWERED = (
    "reported", "partly", "not done", "for you to answer", "answered by you",
)  # fmt: skip
SPLITS = {"train": "training", "val": "validation", "test": "test"}
DEMOGRAPHIC = {"sex": "sex", "age_years": "age"}
ACROSS = ("patients-in-both", "duplicate-across-splits")
"""Findings of the audit that speak against parts that are disjoint."""

HEAT_MAPS = "RUN/inspection/cam/exam.json"
TAKEN = {"machine": "machine", "view": "view", "modality": "modality"}


@dataclass(frozen=True)
class Fact:
    """What is known about an item.

    Args:
        status: one of the five above.
        text: plain sentences.
        evidence: links relative to the study's folder, such as `report.html#data` or `audit.json`.
    """

    status: str
    text: str
    evidence: tuple[str, ...] = ()


FACTS: dict[str, Callable[[Study], Fact]] = {}


def fact(make: Callable[[Study], Fact]) -> Callable[[Study], Fact]:
    """Enters a function under its name."""
    FACTS[make.__name__] = make
    return make


def at(study: Study, *places: str) -> tuple[str, ...]:
    """Those chapters and files that are there: `#data` is a chapter of the report, `RUN/x` a file of the chosen run."""
    found = []
    for place in places:
        if place.startswith("#"):
            if has_chapter(study, place[1:]):
                found.append(f"{REPORT}{place}")
            continue
        name = place.replace("RUN", study.chosen.name, 1) if place.startswith("RUN") and study.chosen else place
        if (study.folder / name).exists():
            found.append(name)
    return tuple(found)


def has_chapter(study: Study, anchor: str) -> bool:
    """Whether the report has this chapter."""
    if anchor in ("data", "runs", "test", "making"):
        return True
    if anchor == "audit":
        return study.audit is not None
    if anchor == "inspection":
        return any(make(study) is not None for each in CHAPTERS if each.anchor == anchor for make in each.makers)
    return study.chosen is not None and study.chosen.evaluation is not None


@fact
def you(study: Study) -> Fact:
    return Fact(YOURS, "No file of the study can know this.")


@fact
def technology(study: Study) -> Fact:
    name = _setting(study, "model", "name")
    if not name:
        return Fact(YOURS, "The study has no model to name.")
    labels = join_words(study.labels)
    text = f"Deep learning ({name}), a classifier of chest X-rays into {labels}. Your title has to say so."
    return Fact(PARTLY, text, at(study, "#making", "RUN/model-card.md"))


@fact
def goal(study: Study) -> Fact:
    text = (
        f"A model that tells {join_words(study.labels)} apart was built, and tried on images of the same collection. "
        "The aims beyond that are yours to name."
    )
    return Fact(PARTLY, text, at(study, "#runs", "#chosen"))


@fact
def sources(study: Study) -> Fact:
    counts = study.manifest.table["source"].fillna("").astype(str).value_counts().sort_index()
    listed = join_words([f"{name or 'unnamed'} ({count:,} images)" for name, count in counts.items()])
    drawn = " These are drawn X-rays, not real ones." if study.facts.drawn else ""
    text = f"Folders or sources: {listed}.{drawn} Hospitals, dates and whom they stand for are yours to name."
    return Fact(PARTLY, text, at(study, "#data", "manifest.parquet"))


@fact
def eligibility(study: Study) -> Fact:
    text = f"{_left_out(study)} Who was eligible in the first place is yours to say."
    return Fact(PARTLY, text, at(study, "#data", "quarantine.csv"))


@fact
def preprocessing(study: Study) -> Fact:
    settings = study.chosen.recipe.get("preprocessing") if study.chosen else None
    if not settings:
        return _no_model()
    side = settings.get("image_size")
    equalised = "grey levels equalised" if settings.get("equalise") else "grey levels left as they are"
    text = (
        f"Every picture becomes grey, {side} by {side} pixels ({settings.get('fit')}), {equalised}, normalised "
        f"({settings.get('normalisation')}); the same code in training, testing and use, for everybody alike."
    )
    return Fact(REPORTED, text, at(study, "#making", "RUN/recipe.json"))


@fact
def subset(study: Study) -> Fact:
    text = f"All images that could be read were used: {_size(study)}. {_left_out(study)}"
    return Fact(REPORTED, text, at(study, "#data", "quarantine.csv"))


@fact
def missing(study: Study) -> Fact:
    rule = study.manifest.facts.get("patient_rule", {})
    alone = int(rule.get("images_without_patient", 0))
    text = f"{_left_out(study)} Nothing was filled in. {render_count(alone, 'image').capitalize()} had no known patient"
    return Fact(REPORTED, f"{text}, and each of those counts as a patient of its own.", at(study, "#data"))


@fact
def acquisition(study: Study) -> Fact:
    known = _known_columns(study, TAKEN)
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
def model(study: Study) -> Fact:
    name, run = _setting(study, "model", "name"), study.chosen
    if run is None or not name:
        return _no_model()
    parameters = run.environment.get("parameters")
    size = f", {int(parameters):,} parameters" if parameters else ""
    text = f"{name}{size}; one grey picture in, {len(study.labels)} probabilities out. The model file holds all of it."
    return Fact(REPORTED, text, at(study, "#making", "RUN/model.safetensors", "RUN/recipe.json", "RUN/model-card.md"))


@fact
def software(study: Study) -> Fact:
    versions = {"hilum": study.facts.hilum, **study.facts.versions}
    listed = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return Fact(REPORTED, f"Open source: {listed}.", at(study, "#making", "study.json"))


@fact
def initial(study: Study) -> Fact:
    if study.chosen is None or not study.chosen.environment:
        return _no_model()
    weights = study.chosen.environment.get("weights")
    text = f"Pre-trained weights {weights.get('name')}." if weights else "Random values."
    return Fact(REPORTED, f"{text} Seed {study.facts.seed}.", at(study, "#making", "RUN/environment.json"))


@fact
def training(study: Study) -> Fact:
    if study.chosen is None or not study.chosen.recipe:
        return _no_model()
    epochs = study.chosen.environment.get("epochs_done")
    runs = render_count(len(study.facts.runs), "recipe")
    text = f"Every setting is listed; {runs} in all were tried on one split into training and validation"
    text += f"; the chosen one trained {epochs} epochs." if epochs else "."
    return Fact(REPORTED, text, at(study, "#making", "#chosen", "RUN/recipe.json", "RUN/history.csv"))


@fact
def selection(study: Study) -> Fact:
    if study.chosen is None:
        return _no_model()
    text = (
        f"{study.chosen.name} had the highest AUROC on validation (to three decimals, then the lowest log loss). Its "
        "epoch, temperature and thresholds were chosen there too; test was not looked at for it."
    )
    return Fact(REPORTED, text, at(study, "#runs", "leaderboard.csv", "comparison.json"))


@fact
def ensemble(study: Study) -> Fact:
    if study.chosen is None:
        return _no_model()
    views = [str(each) for each in study.chosen.recipe.get("tta", ()) or ()]
    averaged = f" Its answers are averaged over the views {join_words(views)}." if len(views) > 1 else ""
    return Fact(REPORTED, f"None: one network answers.{averaged}", at(study, "#making", "RUN/recipe.json"))


@fact
def metrics(study: Study) -> Fact:
    evaluation = _evaluation(study)
    if evaluation is None:
        return _no_model()
    names = join_words([render_metric(name) for name in evaluation.overall])
    text = f"{names}, with ROC, precision-recall and reliability curves; each says how it was averaged."
    return Fact(REPORTED, text, at(study, "#chosen", "#notes", "RUN/metrics.json"))


@fact
def uncertainty(study: Study) -> Fact:
    evaluation = _evaluation(study)
    if evaluation is None:
        return _no_model()
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
    evaluation = _evaluation(study)
    if evaluation is None:
        return _no_model()
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
def flow(study: Study) -> Fact:
    text = f"{_size(study)}; {_classes(study)}. {_left_out(study)}"
    return Fact(REPORTED, text, at(study, "#data", "quarantine.csv"))


@fact
def demographics(study: Study) -> Fact:
    known = _known_columns(study, DEMOGRAPHIC)
    if not known:
        return Fact(YOURS, "The files know neither age nor sex of anybody.", at(study, "#data"))
    text = f"The manifest holds {join_words(known)} of the patients; symptoms and illness beside the label are yours."
    return Fact(PARTLY, text, at(study, "#data", "manifest.parquet"))


@fact
def performance(study: Study) -> Fact:
    evaluation = _evaluation(study)
    if evaluation is None:
        return _no_model()
    figures = [
        f"{render_metric(name)} {render_estimate(evaluation.overall[name], percent=name != 'auroc')}"
        for name in ("accuracy", "balanced_accuracy", "auroc")
    ]
    where = SPLITS.get(evaluation.split, evaluation.split)
    text = f"{join_words(figures)} on {where} ({render_count(evaluation.images, 'image')})."
    if evaluation.split != "test":
        return Fact(PARTLY, f"{text} Validation chose the model, so this is optimistic.", at(study, "#chosen"))
    groups = _groups(study)
    text += f" By group: {_describe_groups(groups)}." if groups else " Groups of people were not looked at."
    return Fact(REPORTED if groups else PARTLY, text, at(study, "#chosen", "RUN/metrics.json", "RUN/model-card.md"))


@fact
def diagnostic(study: Study) -> Fact:
    evaluation = _evaluation(study)
    if evaluation is None:
        return _no_model()
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
    evaluation = _evaluation(study)
    if evaluation is None:
        return _no_model()
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
def use(study: Study) -> Fact:
    return Fact(YOURS, f"What hilum says of every model: {NOT_FOR}", at(study, "RUN/model-card.md"))


@fact
def protocol(study: Study) -> Fact:
    text = "Technical details: the report, the recipe and the command. Whether there is a protocol is yours to say."
    return Fact(PARTLY, text, at(study, "#making", "RUN/recipe.json", "study.json"))


@fact
def availability(study: Study) -> Fact:
    if study.chosen is None:
        return _no_model()
    text = (
        "hilum is open source (Apache-2.0); the model is one file. Whether you give out model and data is yours to say."
    )
    return Fact(PARTLY, text, at(study, "RUN/model.safetensors", "RUN/model-card.md"))


@fact
def predictors(study: Study) -> Fact:
    return Fact(REPORTED, "The pixels of one picture, all of them; nothing else about the patient.", at(study, "#data"))


@fact
def unjudged(study: Study) -> Fact:
    return Fact(REPORTED, "No predictor needs a person's judgement: they are pixels.")


@fact
def clusters(study: Study) -> Fact:
    groups = _groups(study)
    if not groups:
        text = "Figures were not split by place or group: the manifest knows only one of each."
        return Fact(NOT_DONE, text, at(study, "#data"))
    text = f"Share called right, by group: {_describe_groups(groups)}."
    return Fact(REPORTED, text, at(study, "RUN/model-card.md"))


@fact
def updating(study: Study) -> Fact:
    return Fact(REPORTED, "None: nothing was adjusted after the test split was opened.", at(study, "#test"))


@fact
def predictions(study: Study) -> Fact:
    if study.chosen is None:
        return _no_model()
    text = "By the saved model file, read back, in one pass over the split; a line an image in the predictions file."
    return Fact(REPORTED, text, at(study, "RUN/predictions-test.parquet", "RUN/model.safetensors"))


@fact
def imbalance(study: Study) -> Fact:
    balance = _setting(study, "balance")
    if not balance:
        return _no_model()
    how = (
        "Nothing: the classes are as frequent as in the data."
        if balance == "as-is"
        else f"{balance}, in training only."
    )
    calibration = at(study, "RUN/calibration.json")
    after = " Probabilities were mended afterwards by one temperature, fitted on validation." if calibration else ""
    return Fact(REPORTED, how + after, (*at(study, "#making"), *calibration))


@fact
def fairness(study: Study) -> Fact:
    groups = _groups(study)
    if not groups:
        return Fact(NOT_DONE, "Nothing was done about fairness, and no group of people is known in these data.")
    text = f"Nothing was done in training; figures by group were looked at: {_describe_groups(groups)}."
    return Fact(PARTLY, text, at(study, "RUN/model-card.md"))


@fact
def output(study: Study) -> Fact:
    if study.chosen is None:
        return _no_model()
    text = "A probability for each class; the answer is the most probable one."
    points = at(study, "RUN/calibration.json")
    if points:
        text += " Other thresholds were fitted on validation by stated rules."
    return Fact(REPORTED, text, (*at(study, "#chosen"), *points))


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
def bad_input(study: Study) -> Fact:
    if study.chosen is None:
        return _no_model()
    text = (
        "A file that cannot be read is refused with a code, an odd one gets a warning. What a person is to do then is "
        "yours to say."
    )
    return Fact(PARTLY, text, at(study, "quarantine.csv", "RUN/model-card.md"))


def _no_model() -> Fact:
    return Fact(NOT_DONE, "No run of this study gave a model with figures.")


def _evaluation(study: Study) -> Evaluation | None:
    return study.chosen.evaluation if study.chosen else None


def _setting(study: Study, *path: str) -> str:
    value: object = study.chosen.recipe if study.chosen else {}
    for name in path:
        value = value.get(name, "") if hasattr(value, "get") else ""
    return str(value)


def _size(study: Study) -> str:
    table = study.manifest.table
    return f"{render_count(len(table), 'image')} of {render_count(table['patient_id'].nunique(), 'patient')}"


def _classes(study: Study) -> str:
    counts = study.manifest.table["label"].value_counts()
    return join_words([f"{int(counts.get(label, 0)):,} {label}" for label in study.labels])


def _left_out(study: Study) -> str:
    count = len(study.quarantine)
    if not count:
        return "No file was left out."
    return (
        f"{render_count(count, 'file').capitalize()} could not be used and {'was' if count == 1 else 'were'} left out."
    )


def _known_columns(study: Study, columns: dict[str, str]) -> list[str]:
    table = study.manifest.table
    return [words for name, words in columns.items() if name in table and table[name].notna().any()]


def _groups(study: Study) -> tuple[Subgroup, ...]:
    run, evaluation = study.chosen, _evaluation(study)
    predictions = run.read_predictions(evaluation.split) if run and evaluation else None
    return find_subgroups(predictions, study.manifest.table) if predictions is not None else ()


def _describe_groups(groups: tuple[Subgroup, ...]) -> str:
    return join_words([f"{each.column} {each.value} {render_estimate(each.accuracy, percent=True)}" for each in groups])
