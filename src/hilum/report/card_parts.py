"""The parts of a model card, each from facts to Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hilum.evaluation.subgroups import find_subgroups
from hilum.evaluation.values import Evaluation, estimate_of
from hilum.report.answers import CARD_FIELDS
from hilum.report.card_looks import describe_looks, find_failures
from hilum.report.markdown import bullets, code, plain, prose, table
from hilum.report.sections.headline import NOT_FOR
from hilum.report.sections.making import flatten
from hilum.report.sections.per_class import describe_classes
from hilum.report.words import (
    SHARES,
    capitalise,
    end_sentence,
    join_words,
    render_count,
    render_estimate,
    render_metric,
    render_time,
    render_times,
)

if TYPE_CHECKING:
    from hilum.report.card import CardFacts

SPLITS = {"train": "training", "val": "validation", "test": "test", "other": "other data"}
SHOWN = (
    "accuracy",
    "balanced_accuracy",
    "auroc",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "f1",
    "brier",
    "log_loss",
)
OPTIMISTIC = "it chose the run, the epoch and the thresholds, so its figures are optimistic"
MISSING = "*not filled in yet*"


def render_parts(facts: CardFacts) -> str:
    """The whole card."""
    parts = [
        f"# Model card: {plain(facts.model)}",
        _what_it_is(facts),
        f"## What it is for, and what not\n\n{_uses(facts)}",
        f"## Figures\n\n{_figures(facts)}",
        f"## Probabilities and thresholds\n\n{_calibration(facts)}",
        f"## Where it fails\n\n{_failures(facts)}",
        f"## What it knows and looks at\n\n{_spaces(describe_looks(facts))}",
        f"## The data\n\n{_data(facts)}",
        f"## What was opened, and how often\n\n{_openings(facts)}",
        f"## How it was made\n\n{_making(facts)}",
        f"## For people to fill in\n\n{_fields(facts)}",
    ]
    return "\n\n".join(parts) + "\n"


def _what_it_is(facts: CardFacts) -> str:
    labels, evaluation = _labels(facts), _headline(facts)
    name = str((facts.run.recipe.get("model") or {}).get("name", "")) or "a network"
    accuracy = _number(evaluation, "accuracy")
    where = SPLITS.get(evaluation.split, evaluation.split)
    answers = join_words([plain(each) for each in labels], "or")
    sentences = [
        f"An image classifier ({code(name)}) that calls a chest X-ray {answers}.",
        f"On {render_count(evaluation.images, f'{where} image')} it is right on {accuracy}; brackets are 95 % "
        "intervals over patients.",
    ]
    if evaluation.split == "val":
        sentences.append("There is no test figure: the test split was not opened for this model.")
    if evaluation.collapsed:
        sentences.insert(0, "**Worth nothing as it stands:** " + " ".join(plain(each) for each in _errors(evaluation)))
    faults = facts.audit.errors if facts.audit else ()
    if faults:
        listed = join_words([plain(each.title) for each in faults])
        sentences.append(f"**The data are at fault, and the figures do not mean what they seem to:** {listed}.")
    return _spaces(" ".join(sentences))


def _uses(facts: CardFacts) -> str:
    question = f"telling {join_words([plain(each) for each in _labels(facts)])} apart"
    lines = [
        f"**For:** research and teaching about {question}, on pictures made and chosen like those it was trained on.",
        f"**Not for patients.** {NOT_FOR}",
        "**Not for** other classes: it answers one of its own for every picture, also for one that shows none of them. "
        + _gate(facts),
        "**Not for** lateral views, other parts of the body, children where it learned from adults or the other way "
        "round, unless its data below had them.",
    ]
    return bullets(_spaces(line) for line in lines)


def _gate(facts: CardFacts) -> str:
    if facts.header is not None and "gate" in facts.header.extras:
        return "A gate in the model file warns where a picture does not look like a chest X-ray at all."
    return "It has no gate that would notice."


def _figures(facts: CardFacts) -> str:
    evaluations = facts.run.evaluations
    splits = [split for split in ("test", "val", "other") if split in evaluations]
    header = ["", *(f"{SPLITS[split]} ({evaluations[split].images:,} images)" for split in splits)]
    names = [name for name in SHOWN if any(name in evaluations[split].overall for split in splits)]
    rows = [
        [f"{capitalise(render_metric(name))}", *(_number(evaluations[split], name) for split in splits)]
        for name in names
    ]
    first = evaluations[splits[0]]
    averaged = f"for {plain(first.positive)}" if first.positive else f"the mean over {len(first.labels)} classes"
    text = [table(header, rows), f"Sensitivity to F1 are {averaged}."]
    if "val" in evaluations:
        text.append(f"Validation: {OPTIMISTIC}.")
    for split in splits[:1]:
        text += [f"Each class on {SPLITS[split]}:", _classes(evaluations[split])]
        text += [f"Rows: what it is. Columns: what it was called, on {SPLITS[split]}.", _matrix(evaluations[split])]
    sources = [
        f"{code(facts.run.folder.name + f'/predictions-{split}.parquet')} "
        f"(SHA-256 {code(str(evaluations[split].source.get('predictions_sha256', ''))[:12])})"
        for split in splits
    ]
    return "\n\n".join([*map(_spaces, text), f"Computed from {join_words(sources)}."])


def _classes(evaluation: Evaluation) -> str:
    names = ("sensitivity", "specificity", "ppv", "auroc")
    rows = [
        [
            plain(entry.label), f"{entry.images:,}", f"{entry.patients:,}",
            *(render_estimate(getattr(entry, name), percent=name in SHARES) for name in names),
        ]
        for entry in evaluation.per_class
    ]  # fmt: skip
    return table(["class", "images", "patients", *(render_metric(name) for name in names)], rows)


def _matrix(evaluation: Evaluation) -> str:
    labels = [plain(each) for each in evaluation.labels]
    rows = [[label, *(f"{count:,}" for count in row)] for label, row in zip(labels, evaluation.confusion, strict=True)]
    return table(["", *labels], rows)


def _calibration(facts: CardFacts) -> str:
    document = facts.calibration
    if not document:
        return "Nothing was fitted after training: the probabilities are those of the network."
    fitted, loss = document["fitted_on"], document["log_loss"]
    text = [
        f"Logits are divided by a temperature of {document['temperature']:.3g}, fitted on {fitted['images']:,} "
        f"validation images: log loss there {loss['before']:.3f} before and {loss['after']:.3f} after."
    ]
    errors = [
        f"{render_estimate(evaluation.overall['ece'])} on {SPLITS.get(split, split)}"
        for split, evaluation in facts.run.evaluations.items()
        if "ece" in evaluation.overall
    ]
    if errors:
        text.append(f"Expected calibration error: {join_words(errors)}.")
    split = "test" if "test" in document["gives"] else "val"
    rules = {(each["name"], each["label"]): each["sentence"] for each in document["points"]}
    rows = [
        [
            plain(each["label"]), f"{each['threshold']:.3f}", plain(rules[each["name"], each["label"]]),
            *(render_estimate(estimate_of(each[name]), percent=True) if name in each else "" for name in POINT),
        ]
        for each in document["gives"][split]
    ]  # fmt: skip
    if rows:
        header = ["called", "from", "rule, fitted on validation", *POINT]
        text += [f"Thresholds, and what they give on {SPLITS[split]}:", table(header, rows)]
    return "\n\n".join(map(_spaces, text))


POINT = ("accuracy", "sensitivity", "specificity")


def _failures(facts: CardFacts) -> str:
    evaluation = _headline(facts)
    lines = [*_weakest(evaluation), *map(plain, find_failures(facts)), *_subgroups(facts)]
    lines += [f"{plain(verdict.sentence)}" for verdict in evaluation.verdicts]
    lines += [plain(each["sentence"]) for each in facts.guards]
    for finding in facts.audit.findings if facts.audit else ():
        if finding.severity != "note":
            lines.append(f"**{capitalise(finding.severity)}: {plain(finding.title)}.** {prose(finding.sentence)}")
    if facts.audit is None:
        lines.append("The data were not audited, so shortcuts, shift and wrong labels were not looked for.")
    return bullets(_spaces(end_sentence(line)) for line in dict.fromkeys(lines))


def _weakest(evaluation: Evaluation) -> Iterator[str]:
    known = [entry for entry in evaluation.per_class if math.isfinite(entry.sensitivity.value)]
    if len({entry.sensitivity.value for entry in known}) < 2:
        return  # none is found less often than another
    worst = min(known, key=lambda entry: entry.sensitivity.value)
    yield plain(describe_classes(evaluation))
    position = evaluation.labels.index(worst.label)
    row = list(evaluation.confusion[position])
    row[position] = -1
    other = max(range(len(row)), key=row.__getitem__)
    if row[other] > 0:
        where = f"{plain(worst.label)} on {SPLITS.get(evaluation.split, evaluation.split)}"
        yield f"{row[other]:,} of {worst.images:,} {where} it calls {plain(evaluation.labels[other])}."


def _subgroups(facts: CardFacts) -> Iterator[str]:
    evaluation = _headline(facts)
    predictions = facts.run.read_predictions(evaluation.split)
    if facts.manifest is None or predictions is None or evaluation.split == "other":
        return
    groups = find_subgroups(predictions, facts.manifest.table)
    if not groups:
        yield (
            "Figures by source, view, machine, sex or age: none, for the manifest does not know them or has only one "
            "kind of each. Whether it is worse for some people is not known."
        )
    for column in dict.fromkeys(group.column for group in groups):
        of_column = [group for group in groups if group.column == column]
        listed = [
            f"{plain(group.value)} {render_estimate(group.accuracy, percent=True)} of {group.images:,}"
            for group in of_column
        ]
        where = SPLITS.get(evaluation.split, evaluation.split)
        yield f"Right, by {column}, on {where}: {join_words(listed)}. Class proportions may explain a difference"


def _data(facts: CardFacts) -> str:
    manifest = facts.manifest
    if manifest is None:
        return "The manifest that it was trained on does not lie beside it any more."
    lines = [
        f"Source: {code(facts.study['data'])}" if facts.study.get("data") else "",
        f"Labels by {plain(manifest.facts.get('labels_rule', ''))}." if manifest.facts.get("labels_rule") else "",
        f"Patients told apart by {prose(str((manifest.facts.get('patient_rule') or {}).get('sentence', 'nothing')))}.",
        end_sentence(prose(str(manifest.facts.get("split_rule", "")))),
        f"Fingerprint of images, labels, patients and splits: {code(manifest.fingerprint)}.",
        "**Drawn X-rays, not real ones.**" if facts.study.get("drawn") else "",
    ]
    counts, patients = manifest.counts(), manifest.table.groupby("split")["patient_id"].nunique()
    rows = [
        [SPLITS[str(split)], *(f"{int(row[label]):,}" for label in manifest.labels), f"{int(patients[split]):,}"]
        for split, row in counts.iterrows()
    ]
    text = [bullets(line for line in lines if line), table(["", *map(plain, manifest.labels), "patients"], rows)]
    if not facts.own_split:
        trained = (facts.header.extras.get("training_data") or {}) if facts.header else {}
        own = [f"{count:,} {plain(label)}" for label, count in (trained.get("counts") or {}).items()]
        said = f" It learned from {join_words(own)}." if own else ""
        text.append(f"This model was trained on a fold, or on another split, of these images.{said}")
    if facts.audit is not None:
        found = facts.audit.counts()
        listed = join_words([render_count(found[name], name) for name in found])
        text.append(f"The audit found {listed}; {code('audit.json')} has all of it.")
    return "\n\n".join(map(_spaces, text))


def _openings(facts: CardFacts) -> str:
    opened = [each for each in facts.ledger if each.split == "test"]
    own = [each for each in opened if each.run == facts.model]
    text = ["The test split: never, as far as the ledger of the study says."]
    if opened:
        text = [
            f"The test split: {render_times(len(opened))} in this study, {render_times(len(own))} by this run. Every "
            "further look makes a figure more optimistic, if something is chosen by it."
        ]
    elsewhere = len(facts.ledger) - len(opened)
    if elsewhere:
        text.append(f"Other data: {render_times(elsewhere)}; their figures lie where the predictions do.")
    others = facts.study.get("other_openings") or ()
    if others:
        looks = sum(int(each["openings"]) for each in others)
        text.append(f"Other studies beside this one opened the same test images {render_times(looks)}.")
    rows = [
        [
            render_time(each.time), plain(SPLITS.get(each.split, each.split)), plain(each.run), plain(each.reason),
            f"{each.images:,}", code(each.predictions),
        ]
        for each in facts.ledger
    ]  # fmt: skip
    listed = [table(["when", "what", "run", "why", "images", "predictions"], rows)] if rows else []
    return "\n\n".join([*map(_spaces, text), *listed])


def _making(facts: CardFacts) -> str:
    environment, recipe = facts.run.environment, facts.run.recipe
    lines = [
        f"Recipe {code(recipe.get('name', ''))}: {plain(recipe.get('description', ''))}" if recipe else "",
        _weights(environment),
        f"{int(environment['parameters']):,} parameters, {int(environment.get('trained_parameters', 0)):,} trained."
        if environment.get("parameters")
        else "",
        f"{environment['epochs_done']} epochs, the best was epoch {environment.get('best_epoch')}."
        if environment.get("epochs_done")
        else "",
        f"Seed {facts.begun['options']['seed']}." if "options" in facts.begun else "",
        f"Made with {code(facts.study['command'])}." if facts.study.get("command") else "",
        f"On {plain(facts.study['machine'])}." if facts.study.get("machine") else "",
        *(prose(str(note)) for note in environment.get("notes", ())),
    ]
    text = [bullets(_spaces(line) for line in lines if line)]
    settings = [[code(path), plain(value)] for path, value in flatten(recipe) if path not in ("name", "description")]
    versions = [[plain(name), plain(version)] for name, version in (environment.get("versions") or {}).items()]
    if settings:
        text.append(_folded("Every setting of the recipe", table(["setting", "value"], settings)))
    if versions:
        text.append(_folded("Versions", table(["package", "version"], versions)))
    return "\n\n".join(text)


def _weights(environment: Mapping[str, Any]) -> str:
    weights = environment.get("weights")
    if not weights:
        return "It started from random weights."
    digest = f", SHA-256 {code(str(weights['sha256'])[:12])}" if weights.get("sha256") else ""
    return f"It started from the pre-trained weights {code(weights.get('name', ''))}{digest}."


def _fields(facts: CardFacts) -> str:
    rows = [[plain(words), plain(facts.answers.get(name, "")) or MISSING] for name, words in CARD_FIELDS.items()]
    note = (
        f"{code('hilum checklist STUDY')} writes {code('answers.csv')} into the study's folder; what is filled in "
        "there comes here when it is called again."
    )
    return f"{table(['', ''], rows)}\n\n{note}"


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _headline(facts: CardFacts) -> Evaluation:
    evaluation = facts.run.evaluation
    return evaluation if evaluation is not None else next(iter(facts.run.evaluations.values()))


def _labels(facts: CardFacts) -> tuple[str, ...]:
    return tuple(_headline(facts).labels)


def _errors(evaluation: Evaluation) -> list[str]:
    return [verdict.sentence for verdict in evaluation.verdicts if verdict.severity == "error"]


def _number(evaluation: Evaluation, name: str) -> str:
    estimate = evaluation.overall.get(name)
    return "" if estimate is None else _spaces(render_estimate(estimate, percent=name in SHARES))


def _spaces(text: str) -> str:
    return text.replace("\u00a0", " ")
