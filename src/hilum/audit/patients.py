"""Who is in a picture: the key that was taken, what speaks for it, what other keys would imply, and what a split that
ignores patients would do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hilum.audit.finding import Finding
from hilum.audit.neighbours import GRID, LENGTH, codes_of
from hilum.audit.pictures import Pictures
from hilum.audit.wording import counted, interval, percent
from hilum.data.build import KEPT_OUT
from hilum.data.manifest import Manifest
from hilum.data.patients import OWN, RULES, PatientRule
from hilum.evaluation.intervals import normal_quantile
from hilum.evaluation.values import Estimate

NUMBER_ALONE = PatientRule(
    "number-alone", r"(?:^|/)(?:NORMAL2-IM-|IM-|[A-Za-z]+[-_]?)?(\d+)[^/]*$", "the first number in the file name alone"
)
STEM = PatientRule("before-the-last-number", r"([^/]+?)[-_]\d+\.[^./]+$", "the file name up to its last number")
FEW_PAIRS, MOST_PAIRS = 20, 2000
DRAWS = 200


def find_patient_faults(
    manifest: Manifest, pictures: Pictures | None = None, quarantine: pd.DataFrame | None = None, *, seed: int = 0
) -> list[Finding]:
    """Findings `patients-in-both`, `patients-left-out`, `patients-unknown`, `patients-with-two-labels`, `patient-key`,
    `random-split`.

    Args:
        pictures: from `look_at`; without them no evidence is taken from the pictures.
        quarantine: `image_path, code, reason` of the files that are not in the manifest.
        seed: of the pairs that are compared and the splits that are tried.
    """
    table = manifest.table
    found = [_in_both(table), _left_out(quarantine), _unknown(table), _two_labels(table)]
    found += [_key(manifest, pictures, quarantine, seed), _random_split(table, seed)]
    return [finding for finding in found if finding]


def _in_both(table: pd.DataFrame) -> Finding | None:
    splits = table.groupby("patient_id")["split"].nunique()
    shared = splits.index[splits > 1]
    if not len(shared):
        return None
    rows = table[table["patient_id"].isin(shared)]
    groups = tuple(tuple(part["image_path"]) for _, part in rows.groupby("patient_id", sort=False))
    return Finding(
        code="patients-in-both",
        severity="error",
        title="Patients in more than one split",
        sentence=f"{counted(len(shared), 'patient')} of {len(splits):,} have images in more than one split: figures "
        "on them measure memory, not knowledge.",
        way_out="Split by patient, as `hilum study` does with data that come without a split.",
        files=tuple(rows["image_path"]),
        groups=groups,
        count=len(shared),
    )


def _left_out(quarantine: pd.DataFrame | None) -> Finding | None:
    kept_out = quarantine[quarantine["code"].isin(KEPT_OUT)] if quarantine is not None else pd.DataFrame()
    if kept_out.empty:
        return None
    return Finding(
        code="patients-left-out",
        severity="warning",
        title="The data came with test patients in training",
        sentence=f"{counted(len(kept_out), 'training image')} of patients in the test split, or identical to a test "
        "file, came with the data. hilum left them out; whoever trained on all of them has seen the test.",
        way_out="Nothing needs to be done here. Distrust figures of others on this split.",
        files=tuple(kept_out["image_path"].astype(str)),
        count=len(kept_out),
    )


def _unknown(table: pd.DataFrame) -> Finding | None:
    alone = table["patient_id"].astype(str).str.startswith(OWN)
    if not alone.any():
        return None
    shares = alone.groupby(table["label"]).mean()
    uneven = shares.max() - shares.min() > 0.5
    words = (
        "No image has a known patient" if alone.all() else f"{alone.sum():,} of {len(table):,} have no known patient"
    )
    sentence = f"{words}: each counts as a patient of its own, and nothing keeps two images of one patient apart."
    if uneven:
        sentence += (
            f" In {shares.idxmax()} it is {percent(shares.max())}, in {shares.idxmin()} {percent(shares.min())}."
        )
    return Finding(
        code="patients-unknown",
        severity="warning",
        title="Images without a patient",
        sentence=sentence,
        way_out="Give a `patient_id` column in a manifest, or `--patient-pattern` if the file names say it.",
        table=tuple({"class": str(name), "without a patient": percent(share)} for name, share in shares.items()),
        files=tuple(table["image_path"][alone]),
        count=int(alone.sum()),
    )


def _two_labels(table: pd.DataFrame) -> Finding | None:
    labels = table.groupby("patient_id")["label"].nunique()
    mixed = labels.index[labels > 1]
    if not len(mixed):
        return None
    rows = table[table["patient_id"].isin(mixed)]
    groups = tuple(tuple(part["image_path"]) for _, part in rows.groupby("patient_id", sort=False))
    return Finding(
        code="patients-with-two-labels",
        severity="note",
        title="Patients with images of two classes",
        sentence=f"{counted(len(mixed), 'patient')} of {len(labels):,} have images under more than one label: a course "
        "of disease, a wrong label, or a key that joins two people.",
        way_out="Look at some of them.",
        files=tuple(rows["image_path"]),
        groups=groups,
        count=len(mixed),
    )


def _key(manifest: Manifest, pictures: Pictures | None, quarantine: pd.DataFrame | None, seed: int) -> Finding:
    table = _with_left_out(manifest.table, quarantine)
    rule = manifest.facts.get("patient_rule") or {}
    taken = _implied("taken: " + str(rule.get("sentence", "the patient id that was given")), table, table["patient_id"])
    others = [_implied(each.sentence, table, _keys(each, table)) for each in _alternatives(rule)]
    others = [each for each in others if each.named >= 0.9 * len(table) and each.patients != taken.patients]
    sizes = manifest.table["patient_id"].value_counts()
    sentence = (
        f"{len(manifest.table):,} images of {counted(len(sizes), 'patient')}, by "
        f"{rule.get('sentence', 'the patient id that was given')}; {int((sizes > 1).sum()):,} have several images, at "
        f"most {int(sizes.max())}. {counted(taken.in_both, 'patient').capitalize()} would be in test and outside it."
    )
    false_alarms = [each for each in others if each.in_both > taken.in_both]
    if false_alarms:
        worst = max(false_alarms, key=lambda each: each.in_both)
        sentence += f" By {worst.words} it would be {worst.in_both:,}."
    figures = _evidence(manifest.table, pictures, seed) if pictures is not None else {}
    if "alike" in figures:
        sentence += f" {_alike_in_words(figures['alike'])}"
    return Finding(
        code="patient-key",
        severity="note",
        title="How patients are told apart",
        sentence=sentence,
        way_out="If the key is wrong, give a `patient_id` column or `--patient-pattern`.",
        figures=figures,
        table=tuple(each.row() for each in (taken, *others)),
        groups=_examples(manifest.table, sizes),
        count=len(sizes),
    )


@dataclass(frozen=True)
class _Implied:
    """What a key would mean."""

    words: str
    named: int
    patients: int
    in_both: int
    largest: int

    def row(self) -> dict[str, Any]:
        return {
            "key": self.words,
            "images named": self.named,
            "patients": self.patients,
            "in test and outside": self.in_both,
            "images of the largest": self.largest,
        }


def _implied(words: str, table: pd.DataFrame, keys: pd.Series) -> _Implied:
    named = keys.notna()
    sides = (table["split"][named] == "test").groupby(keys[named]).nunique()
    sizes = keys[named].value_counts()
    return _Implied(words, int(named.sum()), len(sizes), int((sides > 1).sum()), int(sizes.max()) if len(sizes) else 0)


def _keys(rule: PatientRule, table: pd.DataFrame) -> pd.Series:
    return pd.Series([rule.key(path) for path in table["image_path"]], index=table.index, dtype=object)


def _alternatives(taken: Any) -> list[PatientRule]:
    return [rule for rule in (*RULES, NUMBER_ALONE, STEM) if rule.name != taken.get("name")]


def _with_left_out(table: pd.DataFrame, quarantine: pd.DataFrame | None) -> pd.DataFrame:
    """The manifest's rows and those that were kept out of training for the test's sake, as training images."""
    columns = table[["image_path", "patient_id", "split"]]
    if quarantine is None or quarantine.empty:
        return columns
    paths = quarantine["image_path"][quarantine["code"].isin(KEPT_OUT)].astype(str)
    extra = pd.DataFrame({"image_path": paths, "patient_id": None, "split": "train"})
    return pd.concat([columns, extra], ignore_index=True) if len(extra) else columns


def _evidence(table: pd.DataFrame, pictures: Pictures, seed: int) -> dict[str, Estimate]:
    """How often two pictures of one patient are more alike than two of different patients of the same class."""
    generator = np.random.default_rng(seed)
    codes, _ = codes_of(pictures.small, GRID, LENGTH)
    within, between = _pairs(table, generator)
    if len(within) < FEW_PAIRS:
        return {}
    alike = [np.einsum("nd,nd->n", codes[pairs[:, 0]], codes[pairs[:, 1]]) for pairs in (within, between)]
    return {"alike": _auroc(*alike)}


def _pairs(table: pd.DataFrame, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One pair of different files a patient, and for each a pair of two patients of the same class."""
    shuffled = table.iloc[generator.permutation(len(table))].drop_duplicates("sha256")
    first = shuffled.groupby("patient_id").nth([0, 1])
    sizes = first.groupby("patient_id")["sha256"].transform("size")
    paired = first[sizes == 2].sort_values("patient_id", kind="stable")
    within = paired.index.to_numpy().reshape(-1, 2)
    within = within[generator.permutation(len(within))[:MOST_PAIRS]]
    labels, patients = (pd.factorize(table[name])[0] for name in ("label", "patient_id"))
    between = []
    for row in within[:, 0]:
        others = np.flatnonzero((labels == labels[row]) & (patients != patients[row]))
        if len(others):
            between.append((row, int(generator.choice(others))))
    return within, np.array(between, dtype=np.int64).reshape(-1, 2)


def _auroc(higher: np.ndarray, lower: np.ndarray) -> Estimate:
    """Share of pairs in the right order, with Hanley and McNeil's (1982) standard error."""
    order = np.argsort(np.concatenate([higher, lower]), kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    n, m = len(higher), len(lower)
    a = float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    variance = (a * (1 - a) + (n - 1) * (q1 - a * a) + (m - 1) * (q2 - a * a)) / (n * m)
    reach = normal_quantile(0.95) * math.sqrt(max(variance, 0.0))
    return Estimate(a, max(0.0, a - reach), min(1.0, a + reach), n=n)


def _alike_in_words(alike: Estimate) -> str:
    if alike.ci_low > 0.5:
        return (
            f"The pictures bear it out: two of one patient are more alike than two of different patients of a class in "
            f"{percent(alike.value)} of the comparisons ({interval(alike)})."
        )
    return f"The pictures do not bear it out: two of one patient are no more alike than strangers ({interval(alike)})."


def _examples(table: pd.DataFrame, sizes: pd.Series) -> tuple[tuple[str, ...], ...]:
    """The images of the patients who have most."""
    several = sizes.index[sizes > 1][:4]
    return tuple(tuple(table["image_path"][table["patient_id"] == patient][:6]) for patient in several)


def _random_split(table: pd.DataFrame, seed: int) -> Finding | None:
    pool = table[table["split"] != "test"]
    count = int((pool["split"] == "val").sum())
    sizes = pool["patient_id"].value_counts().to_numpy()
    if not count or sizes.max() < 2:
        return None
    expected, (low, high) = beside_a_patient(sizes, count), _tried(sizes, count, seed)
    estimate = Estimate(expected, low, high, n=count)
    return Finding(
        code="random-split",
        severity="note",
        title="What a split at random would have done",
        sentence=f"Drawn at random, image by image, {expected:.0f} of {count:,} validation images "
        f"({percent(expected / count)}; {low:.0f} to {high:.0f} in 95 of 100 draws) would stand beside a training "
        "image of the same patient; in the split of this study none does.",
        way_out="Nothing needs to be done: it is what published splits at random are worth less by.",
        figures={"beside": estimate},
        count=round(expected),
    )


def beside_a_patient(sizes: Sequence[int] | np.ndarray, drawn: int) -> float:
    """Expected number of validation images whose patient also trains, when images are drawn at random.

    An image of a patient with n images is drawn with probability drawn / N; all n are drawn with the hypergeometric
    probability (drawn)_n / (N)_n.

    Args:
        sizes: images of each patient.
        drawn: validation images, at most the sum of `sizes`.
    """
    total, expected = int(np.sum(sizes)), 0.0
    for size, patients in zip(*np.unique(np.asarray(sizes), return_counts=True), strict=True):
        steps = np.arange(size)
        all_drawn = float(np.prod((drawn - steps).clip(0) / (total - steps)))
        expected += patients * size * (drawn / total - all_drawn)
    return float(expected)


def _tried(sizes: np.ndarray, drawn: int, seed: int) -> tuple[float, float]:
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(len(sizes)), sizes)
    beside = np.empty(DRAWS)
    for draw in range(DRAWS):
        chosen = np.bincount(generator.permutation(patient)[:drawn], minlength=len(sizes))
        beside[draw] = chosen[chosen < sizes].sum()
    low, high = np.quantile(beside, [0.025, 0.975])
    return float(low), float(high)
