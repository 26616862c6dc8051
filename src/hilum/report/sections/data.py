"""The data: how many images, what they look like, how patients were kept apart, what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from hilum.report.charts.palette import class_colour
from hilum.report.pictures import Thumbnail, draw_sample, read_thumbnail
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Study
from hilum.report.words import end_sentence, join_words, render_count, render_percent

SPLITS = {"train": "Training", "val": "Validation", "test": "Test"}
SAMPLES = 6
"""Pictures shown of each class; fewer with more than four classes."""

LISTED = 30
"""Quarantined files named in the page; the file beside it names all."""


@dataclass(frozen=True)
class ClassSample:
    """A few pictures of one class."""

    label: str
    colour: str
    thumbnails: tuple[Thumbnail, ...]
    gone: int


@dataclass(frozen=True)
class SplitCounts:
    """One split: its printed name, images by class, and patients."""

    name: str
    images: Mapping[str, int]
    patients: int

    @property
    def total(self) -> int:
        return sum(self.images.values())


def make_counts(study: Study) -> Section:
    """Images per split and class, patients per split."""
    counts = study.manifest.counts()
    patients = study.manifest.table.groupby("split")["patient_id"].nunique()
    return Section(
        "How many",
        render(
            "counts.html",
            labels=[(label, class_colour(i)) for i, label in enumerate(study.labels)],
            splits=[
                SplitCounts(SPLITS[name], {label: int(n) for label, n in row.items()}, int(patients[name]))
                for name, row in counts.iterrows()
            ],
            totals={label: int(n) for label, n in counts.sum().items()},
            total=len(study.manifest),
            patients=int(study.manifest.table["patient_id"].nunique()),
            sentence=_describe_counts(counts),
            split_rule=end_sentence(str(study.manifest.facts.get("split_rule", ""))),
        ),
    )


def _describe_counts(counts: pd.DataFrame) -> str:
    totals = counts.sum()
    rare, common = totals.idxmin(), totals.idxmax()
    if totals[rare] == totals[common]:
        balance = "Every class has the same number of images."
    else:
        ratio = totals[common] / max(totals[rare], 1)
        balance = f"The largest class is {common}; the smallest, {rare}, is {ratio:.1f} times smaller."
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    spread = (shares.max() - shares.min()).max()
    moved = (shares.max() - shares.min()).idxmax()
    if spread < 0.05:
        return f"{balance} The proportions are nearly the same in every split."
    low, high = render_percent(float(shares[moved].min())), render_percent(float(shares[moved].max()))
    return f"{balance} The splits differ in their proportions: {moved} makes up {low} of one and {high} of another."


def make_samples(study: Study) -> Section:
    """Pictures of each class, drawn by the seed from the training split, one a patient."""
    each = SAMPLES if len(study.labels) <= 4 else 3
    classes = tuple(_sample(study, i, label, each) for i, label in enumerate(study.labels))
    gone = sum(sample.gone for sample in classes)
    return Section("What they look like", render("samples.html", classes=classes, gone=gone, seed=study.facts.seed))


def _sample(study: Study, position: int, label: str, count: int) -> ClassSample:
    rows = study.manifest.split("train")
    rows = rows[rows["label"] == label].drop_duplicates("patient_id")
    digests = dict(zip(rows["image_path"], rows["sha256"].astype(str), strict=True))
    thumbnails = [
        read_thumbnail(study.manifest, name, digests[name]) for name in draw_sample(digests, count, study.facts.seed)
    ]
    shown = tuple(thumbnail for thumbnail in thumbnails if thumbnail.uri)
    return ClassSample(label, class_colour(position), shown, len(thumbnails) - len(shown))


def make_patients(study: Study) -> Section:
    """The rule that names a patient, examples of it, and how many images patients have."""
    rule = study.manifest.facts.get("patient_rule") or {}
    sizes = study.manifest.table["patient_id"].value_counts()
    several = int((sizes > 1).sum())
    return Section(
        "How patients were kept apart",
        render(
            "patients.html",
            rule=str(rule.get("sentence", "")),
            pattern=str(rule.get("pattern", "")),
            examples=[(str(each["image_path"]), str(each["patient_id"])) for each in rule.get("examples", ())],
            sentence=_describe_patients(sizes, several),
        ),
    )


def _describe_patients(sizes: pd.Series, several: int) -> str:
    people = render_count(len(sizes), "patient")
    if not several:
        return f"{people}, each with one image."
    most = int(sizes.max())
    return f"{people}; {several:,} of them have several images, at most {most:,}."


def make_left_out(study: Study) -> Section:
    """Files in quarantine, by code and by name."""
    codes = Counter(entry.code for entry in study.quarantine)
    listed = join_words([f"{number:,} × {code}" for code, number in codes.most_common()])
    files = render_count(len(study.quarantine), "file")
    were = "was" if len(study.quarantine) == 1 else "were"
    sentence = f"{files} {were} left out: {listed}." if codes else "No file was left out."
    return Section(
        "What was left out",
        render(
            "left_out.html",
            sentence=sentence,
            entries=study.quarantine[:LISTED],
            more=max(len(study.quarantine) - LISTED, 0),
        ),
    )
