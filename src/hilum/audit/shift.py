"""Shift: is the test split another population than the images to train on?

A probe is asked to tell test images from the others, over all images and inside each class; class shares and file
headers are compared. None of it is an error: the test figure is an honest figure for its population. But validation
images come from the training population, so where there is a shift a validation figure flatters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hilum.audit.columns import IN_WORDS, encode_column, encode_columns, header_columns
from hilum.audit.finding import Finding
from hilum.audit.folds import Design, can_hold_out
from hilum.audit.probe import ProbeResult, corrected, held_out_auroc, run_probe
from hilum.audit.sample import sample_patients
from hilum.audit.shortcuts import ALARM
from hilum.audit.views import Views
from hilum.audit.wording import interval, listed, percent
from hilum.data.manifest import Manifest
from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.intervals import share_interval
from hilum.evaluation.values import Estimate

MARKED = 0.7
"""A shift with the lower end of its interval above this is a warning, below it a note."""

MARKED_SHARE = 0.1
"""A class whose share differs by more than this, and whose intervals do not touch, is a warning."""

LEAST = 10
"""Patients that a class needs in either part for a probe inside it."""

EVERYTHING = "all images"
PICTURES, HEADERS = "pictures", "headers"


@dataclass(frozen=True)
class ShiftResult:
    """What tells test images from the others.

    Args:
        inside: `EVERYTHING` or a class name.
        seen: `PICTURES` or `HEADERS`.
        p: corrected for the number of probes.
    """

    inside: str
    seen: str
    result: ProbeResult
    p: float


def find_shift(manifest: Manifest, views: Views, *, seed: int = 0) -> list[Finding]:
    """Findings `shifted-test`, `shifted-headers`, `class-proportions`; empty without a test split, or without a shift.

    Args:
        views: of the manifest's images, in its order.
    """
    results = probe_shift(manifest, views, seed=seed)
    found = [_probe_finding(manifest, [each for each in results if each.seen == seen]) for seen in (PICTURES, HEADERS)]
    return [finding for finding in (*found, _proportions(manifest)) if finding]


def probe_shift(manifest: Manifest, views: Views, *, seed: int = 0) -> list[ShiftResult]:
    """Every probe that the data have enough patients for: pictures and headers, over all images and inside each class.

    Test membership is shuffled inside the classes, so that other class shares alone are no shift. Of a very large data
    set a sample is probed, see `sample.MOST_IMAGES`.
    """
    manifest, views = sample_patients(manifest, views, seed=seed)
    table = manifest.table
    is_test = (table["split"] == "test").to_numpy().astype(np.int64)
    patients = Patients.of(table["patient_id"])
    if not can_hold_out(is_test, patients, least=LEAST):
        return []
    classes = class_of_patient(manifest.labels.encode(table["label"].tolist()), patients)
    design = Design.of(is_test, patients, strata=classes, seed=seed)
    parts = {EVERYTHING: np.ones(len(table), bool)}
    parts |= {name: classes == position for position, name in enumerate(manifest.labels)}
    probed: dict[tuple[str, str], ProbeResult] = {}
    for inside, rows in parts.items():
        part = design.of_rows(rows)
        if can_hold_out(part.labels, part.patients, least=LEAST):
            for seen, features in _features(manifest, views, rows).items():
                probed[inside, seen] = run_probe(features, part)
    p = corrected(probed)
    return [ShiftResult(*key, result, p[key]) for key, result in probed.items()]


def class_of_patient(labels: np.ndarray, patients: Patients) -> np.ndarray:
    """int64 `[N]`: for each image the class that most images of its patient have."""
    counts = np.zeros((patients.count, labels.max() + 1), dtype=np.int64)
    np.add.at(counts, (patients.index, labels), 1)
    return counts.argmax(axis=1)[patients.index]


def _features(manifest: Manifest, views: Views, rows: np.ndarray) -> dict[str, np.ndarray]:
    headers = encode_columns(header_columns(manifest.table[rows]))
    seen = {PICTURES: views.small[rows], HEADERS: headers}
    return {name: features for name, features in seen.items() if features.shape[1]}


def _probe_finding(manifest: Manifest, results: Sequence[ShiftResult]) -> Finding | None:
    sure = [each for each in results if each.p <= ALARM]
    if not sure:
        return None
    worst = max(sure, key=lambda each: each.result.auroc.ci_low)
    marked = worst.result.auroc.ci_low > MARKED
    pictures = worst.seen == PICTURES
    return Finding(
        "shifted-test" if pictures else "shifted-headers",
        "warning" if marked else "note",
        "Test images look different" if pictures else "Test files are stored differently",
        _probe_sentence(results, sure, pictures=pictures),
        _PICTURES_WAY_OUT if pictures else _HEADERS_WAY_OUT,
        figures={each.inside: each.result.auroc for each in results},
        table=tuple(_header_rows(manifest)) if not pictures else (),
        count=int((manifest.table["split"] == "test").sum()),
    )


_PICTURES_WAY_OUT = (
    "Expect the test figure to lie below validation, most of all in the class that moved; keep the test split as it "
    "is, and vary in training what sets the two apart."
)
_HEADERS_WAY_OUT = "Find out how the two parts were exported; compression and size leave traces in the pixels."


def _probe_sentence(results: Sequence[ShiftResult], sure: Sequence[ShiftResult], *, pictures: bool) -> str:
    what = "the whole picture at 28 x 28" if pictures else "how the file is stored"
    overall = [each for each in results if each.inside == EVERYTHING]
    inside = [f"{interval(each.result.auroc)} inside {each.inside}" for each in results if each.inside != EVERYTHING]
    parts = [f"AUROC {interval(each.result.auroc)} over all images" for each in overall] + inside
    sentence = f"A linear model that sees {what} tells test images from others: {listed(parts)} (0.5 = not at all)."
    unmoved = [each.inside for each in results if each not in sure and each.inside != EVERYTHING]
    return sentence + (f" Inside {listed(unmoved)} it may be chance." if unmoved else "")


def _header_rows(manifest: Manifest) -> list[dict[str, Any]]:
    """Each header column by itself: AUROC for test against the others, and the two medians or commonest values."""
    table = manifest.table
    is_test = (table["split"] == "test").to_numpy()
    design = Design.of(is_test.astype(np.int64), Patients.of(table["patient_id"]), permutations=0)
    columns = header_columns(table)
    rows = [
        {
            "seen": IN_WORDS[name],
            "auroc": round(held_out_auroc(encode_column(columns[name]), design), 3),
            "test": _typical(columns[name][is_test]),
            "others": _typical(columns[name][~is_test]),
        }
        for name in columns
    ]
    return sorted(rows, key=lambda row: -row["auroc"])


def _typical(values: pd.Series) -> str:
    """The median of numbers, the commonest of texts."""
    if pd.api.types.is_numeric_dtype(values):
        return f"{values.median():.4g}" if values.notna().any() else "none"
    common = values.mode()
    return str(common.iloc[0]) if len(common) else "none"


def _proportions(manifest: Manifest) -> Finding | None:
    """Classes whose share in the test split is another one than among the other images."""
    table = manifest.table
    is_test = (table["split"] == "test").to_numpy()
    if is_test.all() or not is_test.any():
        return None
    patients = Patients.of(table["patient_id"])
    shares = {
        name: tuple(_share((table["label"] == name).to_numpy(), patients, part) for part in (~is_test, is_test))
        for name in manifest.labels
    }
    apart = {name: pair for name, pair in shares.items() if _apart(*pair)}
    if not apart:
        return None
    largest, (here, there) = max(apart.items(), key=lambda item: abs(item[1][0].value - item[1][1].value))
    marked = abs(here.value - there.value) > MARKED_SHARE
    return Finding(
        "class-proportions",
        "warning" if marked else "note",
        "Other class shares in test",
        f"{largest} makes up {percent(there.value)} of the test images and {percent(here.value)} of the others.",
        "Accuracy, PPV and NPV depend on class shares: compare balanced accuracy and AUROC, and state PPV and NPV at "
        "the prevalence that is meant.",
        figures={
            f"{name}, {part}": pair[i] for name, pair in shares.items() for i, part in enumerate(("others", "test"))
        },
        count=len(apart),
    )


def _share(is_it: np.ndarray, patients: Patients, part: np.ndarray) -> Estimate:
    k, n = int((is_it & part).sum()), int(part.sum())
    low, high, _ = share_interval(is_it, patients, part)
    return Estimate(k / n, low, high, k, n)


def _apart(one: Estimate, other: Estimate) -> bool:
    return one.ci_high < other.ci_low or other.ci_high < one.ci_low
