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
from hilum.report.study_folder import Study
from hilum.report.words import join_words, render_count, render_estimate

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


def no_model() -> Fact:
    """Nothing is known of a model, for there is none."""
    return Fact(NOT_DONE, "No run of this study gave a model with figures.")


def evaluation_of(study: Study) -> Evaluation | None:
    """The figures that the report speaks of."""
    return study.chosen.evaluation if study.chosen else None


def setting_of(study: Study, *path: str) -> str:
    """A setting of the chosen recipe as text; empty where there is none."""
    value: object = study.chosen.recipe if study.chosen else {}
    for name in path:
        value = value.get(name, "") if hasattr(value, "get") else ""
    return str(value)


def describe_size(study: Study) -> str:
    """Images and patients."""
    table = study.manifest.table
    return f"{render_count(len(table), 'image')} of {render_count(table['patient_id'].nunique(), 'patient')}"


def describe_classes(study: Study) -> str:
    """Images of each class."""
    counts = study.manifest.table["label"].value_counts()
    return join_words([f"{int(counts.get(label, 0)):,} {label}" for label in study.labels])


def describe_left_out(study: Study) -> str:
    """How many files are in quarantine."""
    count = len(study.quarantine)
    if not count:
        return "No file was left out."
    return (
        f"{render_count(count, 'file').capitalize()} could not be used and {'was' if count == 1 else 'were'} left out."
    )


def known_columns(study: Study, columns: dict[str, str]) -> list[str]:
    """Words for those columns that the manifest knows something in."""
    table = study.manifest.table
    return [words for name, words in columns.items() if name in table and table[name].notna().any()]


def groups_of(study: Study) -> tuple[Subgroup, ...]:
    """Figures of groups of people or pictures, on the split of the report."""
    run, evaluation = study.chosen, evaluation_of(study)
    predictions = run.read_predictions(evaluation.split) if run and evaluation else None
    return find_subgroups(predictions, study.manifest.table) if predictions is not None else ()


def describe_groups(groups: tuple[Subgroup, ...]) -> str:
    """Each group with its share called right."""
    return join_words([f"{each.column} {each.value} {render_estimate(each.accuracy, percent=True)}" for each in groups])
