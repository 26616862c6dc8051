"""Validation minus test, taken apart: leaked patients, class proportions, shift of the pictures, and chance.

    accuracy on validation - accuracy on test = leakage + proportions + shift, each with an interval

- *leakage*: how much a nearest-neighbour probe on 28 x 28 pictures gains when images of one patient (or the same file)
  may stand on both sides of its folds, times how much of validation does stand on both sides, relative to such folds.
  0 where the split keeps patients apart. A neighbour remembers more than most networks, so this errs upwards.
- *proportions*: accuracy on validation minus the same weighted to the class proportions of test.
- *shift*: what is left within the classes: the test pictures are harder, or of another kind.
- *chance* is no part of the sum: a gap inside it needs no explanation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hilum.audit.auroc import macro_auroc_estimate
from hilum.audit.folds import FOLDS, Design, can_hold_out, grouped_folds
from hilum.audit.probe import held_out_class_scores, probe_elsewhere
from hilum.audit.views import Canvases, _chunks, _reduced
from hilum.data.predictions import Predictions
from hilum.data.splits import connected_groups
from hilum.evaluation.bootstrap import Patients, resampled
from hilum.evaluation.intervals import normal_quantile
from hilum.evaluation.values import Estimate, estimate_of, without_nan

SCHEMA = "hilum.gap/1"
MOST_IMAGES = 4000
"""Images of training and validation that the neighbour probe sees; beyond them, whole patients are left out."""

REPEATS = 3
"""Different folds that the neighbour probe is averaged over."""


@dataclass(frozen=True)
class Gap:
    """A difference of two accuracies and its parts.

    Args:
        total: validation minus test.
        leakage, proportions, shift: what it is made of.
        chance: 0, with the interval in which `total` would lie in 95 of 100 cases were nothing different.
        leaked: share of the validation images of which the patient or the file is in training too.
        random_split: what the neighbour probe would gain were images split at random, patients ignored.
        probe_inside, probe_test: AUROC of a ridge on 28 x 28 pictures, cross-validated by patient inside training and
            validation, and on test: the same fall without the network.
    """

    total: Estimate
    leakage: Estimate
    proportions: Estimate
    shift: Estimate
    chance: Estimate
    leaked: float
    random_split: Estimate
    probe_inside: Estimate
    probe_test: Estimate

    def to_json(self) -> dict[str, Any]:
        """A JSON document; NaN becomes null."""
        return without_nan({"schema": SCHEMA, **asdict(self)})

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Gap:
        """The way back from `to_json`."""
        known = {name: document[name] for name in cls.__dataclass_fields__}
        values: dict[str, Any] = {name: estimate_of(each) for name, each in known.items() if name != "leaked"}
        return cls(**values, leaked=float(known["leaked"]))


def explain_gap(
    val: Predictions,
    test: Predictions,
    features: np.ndarray,
    rows: Mapping[str, np.ndarray],
    *,
    sampled: np.ndarray | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Gap:
    """Takes the gap apart.

    Args:
        val, test: predictions of one model.
        features: float `[M, D]`, small pictures of the rows that `sampled` names.
        rows: columns of the manifest, each `[N]`: `split, label, patient_id, sha256`.
        sampled: int64 `[M]`, positions that the probes look at; None = all.
    """
    split, labels = np.asarray(rows["split"]), val.labels.encode(list(rows["label"]))
    groups = connected_groups(*(_series(rows[name]) for name in ("patient_id", "sha256")))
    sampled = np.arange(len(split)) if sampled is None else sampled
    inside, seen, owner = split[sampled] != "test", labels[sampled], np.unique(groups[sampled], return_inverse=True)[1]
    gain, mixed = _gain_of_mixing(features[inside], seen[inside], owner[inside], replicates, seed)
    in_training = set(groups[split == "train"])
    leaked = (
        float(np.mean([group in in_training for group in groups[split == "val"]])) if (split == "val").any() else 0.0
    )
    share = min(1.0, leaked / mixed) if mixed > 0 else 0.0
    leak = share * gain
    parts = {
        name: _accuracies(each, test.target, replicates, seed + i)
        for i, (name, each) in enumerate({"val": val, "test": test}.items())
    }
    plain, weighted = parts["val"][:2]
    there = parts["test"][0]
    total = plain - there
    reach = normal_quantile(0.95) * float(np.nanstd(total[1:]))
    ridge = _ridge(features, seen, owner, inside, seed)
    return Gap(
        total=_estimate(total),
        leakage=_estimate(leak),
        proportions=_estimate(plain - weighted),
        shift=_estimate(weighted - there - leak),
        chance=Estimate(0.0, -reach, reach),
        leaked=leaked,
        random_split=_estimate(gain),
        probe_inside=ridge[0],
        probe_test=ridge[1],
    )


def small_pictures(canvases: Canvases) -> np.ndarray:
    """float32 `[N, 784]`: every canvas reduced to 28 x 28, each pixel the mean of the area that it stands for."""
    rows = [_reduced(canvas).ravel() for _, chunk in _chunks(canvases) for canvas in chunk]
    return np.array(rows, dtype=np.float32)


def _series(values: np.ndarray) -> Any:
    import pandas as pd

    return pd.Series(list(values), dtype=object)


def _estimate(values: np.ndarray) -> Estimate:
    """The first is the figure, the others are its replicates."""
    drawn = values[1:][np.isfinite(values[1:])]
    if not len(drawn) or not np.isfinite(values[0]):
        return Estimate(float(values[0]), float("nan"), float("nan"))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(float(values[0]), float(low), float(high))


def _accuracies(
    predictions: Predictions, other: np.ndarray, replicates: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy as it is, and weighted to the class proportions of `other`; each `[1 + replicates]`."""
    hit, target = (predictions.decisions == predictions.target).astype(np.float64), predictions.target
    classes = len(predictions.labels)
    wanted = np.bincount(other, minlength=classes) / len(other)
    patients = Patients.of(predictions.table["patient_id"].tolist())
    everyone = np.ones((1, len(hit)))
    drawn = [everyone, *resampled(patients, replicates=replicates, seed=seed)]
    plain, weighted = [], []
    for weights in drawn:
        plain.append(weights @ hit / weights.sum(axis=1))
        is_it = np.eye(classes)[target]
        with np.errstate(invalid="ignore", divide="ignore"):
            found = (weights @ (is_it * hit[:, None])) / (weights @ is_it)
            weighted.append(np.nansum(found * wanted, axis=1) / (np.isfinite(found) @ wanted))
    return np.concatenate(plain), np.concatenate(weighted)


def _gain_of_mixing(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, replicates: int, seed: int
) -> tuple[np.ndarray, float]:
    """What the neighbour probe gains from folds that tear patients apart, `[1 + replicates]`, and the share of images
    that have one of their own patient on the other side of such folds.
    """
    kept = _few_enough(groups, seed)
    features, labels, groups = features[kept], labels[kept], np.unique(groups[kept], return_inverse=True)[1]
    patients = Patients(groups, int(groups.max()) + 1)
    if not can_hold_out(labels, patients):
        return np.zeros(1 + replicates), 0.0
    near = _distances(features)
    gained, mixed = np.zeros(len(labels)), 0.0
    for repeat in range(REPEATS):
        apart = grouped_folds(labels, groups, FOLDS, seed + repeat)
        torn = grouped_folds(labels, np.arange(len(labels)), FOLDS, seed + repeat)
        gained += (_neighbours_right(near, labels, torn) - _neighbours_right(near, labels, apart)) / REPEATS
        elsewhere = [(groups[torn != fold], torn == fold) for fold in range(FOLDS)]
        mixed += sum(float(np.isin(groups[held], others).sum()) for others, held in elsewhere) / len(labels) / REPEATS
    drawn = [w @ gained / w.sum(axis=1) for w in resampled(patients, replicates=replicates, seed=seed)]
    return np.concatenate([[gained.mean()], *drawn]), mixed


def _few_enough(groups: np.ndarray, seed: int) -> np.ndarray:
    if len(groups) <= MOST_IMAGES:
        return np.ones(len(groups), bool)
    order = np.random.default_rng([seed, 7]).permutation(int(groups.max()) + 1)
    sizes = np.bincount(groups, minlength=len(order))[order]
    return np.isin(groups, order[np.cumsum(sizes) <= MOST_IMAGES])


def _distances(features: np.ndarray) -> np.ndarray:
    """Squared distances of standardised pictures, float32 `[N, N]`; each to itself infinite."""
    scale = features.std(axis=0)
    scaled = ((features - features.mean(axis=0)) / np.where(scale > 0, scale, 1)).astype(np.float32)
    square = (scaled**2).sum(axis=1)
    distances = square[:, None] + square[None, :] - 2 * scaled @ scaled.T
    np.fill_diagonal(distances, np.inf)
    return distances


def _neighbours_right(distances: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """1.0 for each image whose nearest neighbour outside its fold has its label."""
    right = np.zeros(len(labels))
    for each in np.unique(fold):
        held, others = np.flatnonzero(fold == each), np.flatnonzero(fold != each)
        nearest = others[distances[np.ix_(held, others)].argmin(axis=1)]
        right[held] = labels[nearest] == labels[held]
    return right


def _ridge(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, inside: np.ndarray, seed: int
) -> tuple[Estimate, Estimate]:
    nothing = Estimate(float("nan"), float("nan"), float("nan"))
    within = Patients.of(groups[inside].tolist())
    if not can_hold_out(labels[inside], within) or inside.all():
        return nothing, nothing
    design = Design.of(labels[inside], within, permutations=0, seed=seed)
    scores = held_out_class_scores(features[inside], design)[:, list(design.columns)]
    cross = macro_auroc_estimate(scores, design.labels, design.columns, within, seed=seed)
    return cross, probe_elsewhere(features, labels, inside, ~inside, Patients.of(groups.tolist()))
