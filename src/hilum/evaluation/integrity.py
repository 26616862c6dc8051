"""Guards beside those of the confusion matrix: whether files, splits, figures and training fit together.

Each function looks at one thing and gives verdicts: an `error` makes figures worthless, a `warning` is to be known
before they are read. What each one guards against, with its threshold, stands in `docs/evaluation.md`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from hilum.data.predictions import Predictions
from hilum.evaluation import metrics
from hilum.evaluation.values import Evaluation, Verdict

ROUNDING = 0.0006
"""How far a printed accuracy may lie from its matrix: half a tenth of a per cent, and a little."""

TOO_GOOD, SUSPICIOUS = (0.98, 0.95), 0.995
"""AUROC: its interval lies above the first wholly; or above the second, with a value above the third."""

FEW_VALIDATION, FEW_OF_A_CLASS = 100, 20
STILL_LEARNING = 0.2
LOGGED_TOLERANCE = 0.05
SAME_LOGIT = 0.02
TRANSFER = re.compile(r"(?<!no )(?<!not )(?<!without )\b(transfer|fine-?tun\w*|pre-?trained|imagenet)\b", re.IGNORECASE)

_SPLITS = {"train": "training", "val": "validation"}


def find_unkeyed(predictions: Predictions, rows: pd.DataFrame) -> list[Verdict]:
    """`not-keyed`, `other-labels` (errors): predictions that are not of exactly these images with these labels.

    Args:
        rows: manifest rows of the split (`image_path, label`).
    """
    expected = dict(zip(rows["image_path"], rows["label"].astype(str), strict=True))
    found = dict(zip(predictions.table["image_path"], predictions.table["target"].astype(str), strict=True))
    missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing or extra:
        what = f"{len(missing)} images of the split have no prediction and {len(extra)} predictions have no image"
        return [Verdict("not-keyed", "error", f"{what}: the figures are not those of the split.")]
    other = [name for name, label in expected.items() if found[name] != label]
    if other:
        sentence = f"{len(other)} predictions carry another label than the manifest, such as {other[0]}."
        return [Verdict("other-labels", "error", sentence)]
    return []


def find_support(evaluation: Evaluation, counts: Mapping[str, int]) -> list[Verdict]:
    """`support` (error): classes with another number of images than the manifest counts.

    Args:
        counts: class -> images of the split in the manifest.
    """
    rows = {label: sum(row) for label, row in zip(evaluation.labels, evaluation.confusion, strict=True)}
    wrong = [
        f"{label} {rows.get(label, 0)} instead of {count}"
        for label, count in counts.items()
        if rows.get(label, 0) != count
    ]
    if not wrong and set(rows) <= set(counts):
        return []
    moved = (
        " The same numbers in another order: the names are out of step."
        if sorted(rows.values()) == sorted(counts.values())
        else ""
    )
    sentence = f"The rows of the confusion matrix do not have the images of the manifest: {', '.join(wrong)}.{moved}"
    return [Verdict("support", "error", sentence)]


def find_matrix_disagreement(
    confusion: Sequence[Sequence[int]], accuracy: float, predictions: Predictions | None = None
) -> list[Verdict]:
    """`matrix-accuracy` (error): a matrix that does not give the accuracy beside it, or not that of the predictions.

    Args:
        accuracy: as printed, in [0, 1].
    """
    matrix = np.asarray(confusion, dtype=np.int64)
    share = float(metrics.accuracy(matrix))
    if abs(share - accuracy) > ROUNDING:
        sentence = (
            f"The confusion matrix gives an accuracy of {100 * share:.1f} %, not {100 * accuracy:.1f} %: labels and "
            "predictions of the two are not in the same order."
        )
        return [Verdict("matrix-accuracy", "error", sentence)]
    if predictions is None:
        return []
    again = metrics.confusion_matrix(predictions.target, predictions.decisions, len(predictions.labels))
    if (again.astype(np.int64) != matrix).any():
        return [Verdict("matrix-accuracy", "error", "The confusion matrix is not that of the predictions file.")]
    return []


def find_shared(table: pd.DataFrame) -> list[Verdict]:
    """`shared-image`, `shared-patient` (errors): a file, a picture or a patient that stands in two splits.

    Args:
        table: manifest rows: `split, patient_id, sha256` and, where known, `pixels_sha256`.
    """
    found = []
    for code, columns, noun in (
        ("shared-image", ("sha256", "pixels_sha256"), "picture"),
        ("shared-patient", ("patient_id",), "patient"),
    ):
        pairs = _shared_pairs(table, [column for column in columns if column in table])
        for (one, other), count in pairs.items():
            both = f"{_SPLITS.get(one, one)} and {_SPLITS.get(other, other)}"
            nouns = f"{count} {noun}{'s' if count != 1 else ''}"
            verb = "stands" if count == 1 else "stand"
            sentence = f"{nouns} {verb} in {both}: figures on {_SPLITS.get(other, other)} are too good."
            found.append(Verdict(code, "error", sentence))
    return found


def _shared_pairs(table: pd.DataFrame, columns: Sequence[str]) -> dict[tuple[str, str], int]:
    shared: dict[tuple[str, str], int] = {}
    for one, other in combinations(("train", "val", "test"), 2):
        most = 0
        for column in columns:
            values = table[column].where(table[column].notna(), "").astype(str)
            sides = [set(values[(table["split"] == split) & (values != "")]) for split in (one, other)]
            most = max(most, len(sides[0] & sides[1]))
        if most:
            shared[one, other] = most
    return shared


def find_unannealed(
    history: Sequence[Mapping[str, object]], schedules: Sequence[str], stopped: str = ""
) -> list[Verdict]:
    """`never-annealed` (warning): a cosine schedule that ended with more than a fifth of its learning rate left.

    Args:
        history: one entry an epoch: `phase` (number from 1) and `lr` at its end.
        schedules: of each phase.
        stopped: why training ended before its last epoch, a sentence; empty when it did not.
    """
    found = []
    for number, schedule in enumerate(schedules, start=1):
        rates = [_number(row.get("lr")) for row in history if _number(row.get("phase")) == number]
        rates = [rate for rate in rates if math.isfinite(rate)]
        if schedule != "cosine" or not rates or max(rates) <= 0 or rates[-1] <= STILL_LEARNING * max(rates):
            continue
        why = f" ({stopped})" if stopped else ""
        sentence = (
            f"Phase {number} stopped{why} with {100 * rates[-1] / max(rates):.0f} % of its learning rate left: the "
            "cosine schedule never came to rest, and a longer run or a shorter schedule may do better."
        )
        found.append(Verdict("never-annealed", "warning", sentence))
    return found


def find_too_good(evaluation: Evaluation) -> list[Verdict]:
    """`too-good` (warning): an AUROC that chest X-rays with labels made by people seldom allow."""
    auroc = evaluation.overall.get("auroc")
    if auroc is None or not math.isfinite(auroc.ci_low):
        return []
    if auroc.ci_low <= TOO_GOOD[0] and not (auroc.value >= SUSPICIOUS and auroc.ci_low > TOO_GOOD[1]):
        return []
    split = _SPLITS.get(evaluation.split, evaluation.split)
    sentence = (
        f"An AUROC of {auroc.value:.3f} [{auroc.ci_low:.3f}, {auroc.ci_high:.3f}] on {split} is better than readers of "
        "chest X-rays agree with each other: look for something beside the lungs that gives the class away."
    )
    return [Verdict("too-good", "warning", sentence)]


def find_few(evaluation: Evaluation) -> list[Verdict]:
    """`few-images` (warning): a validation split too small to choose by, or a class too small to say anything of."""
    few = [f"{entry.images} of {entry.label}" for entry in evaluation.per_class if entry.images < FEW_OF_A_CLASS]
    split = _SPLITS.get(evaluation.split, evaluation.split)
    if evaluation.split == "val" and evaluation.images < FEW_VALIDATION:
        reach = 98 * math.sqrt(2 * 0.25 / max(evaluation.images, 1))
        sentence = (
            f"Only {evaluation.images} validation images: two runs may differ by {reach:.0f} points of accuracy by "
            "chance, so what is chosen by them is little more than drawn."
        )
        return [Verdict("few-images", "warning", sentence)]
    if few:
        return [Verdict("few-images", "warning", f"Few {split} images: {', '.join(few)}. Their figures say little.")]
    return []


def find_not_pretrained(name: str, description: str, phases: Sequence[str], weights: str) -> list[Verdict]:
    """`not-pretrained` (warning): a recipe that speaks of transfer, or keeps stages as they are, from random weights.

    Args:
        phases: which stages each phase trains (`all`, `head`, `last:N`).
        weights: that the recipe starts from; `none` is random.
    """
    if weights != "none":
        return []
    spoken = TRANSFER.search(f"{name} {description}".replace("-", " "))
    kept = bool(phases) and all(phase != "all" for phase in phases)
    if not (spoken or kept):
        return []
    why = f"speaks of “{spoken[0]}”" if spoken else "never trains all stages"
    sentence = f"The recipe {name} {why}, but starts from random weights: nothing is transferred."
    return [Verdict("not-pretrained", "warning", sentence)]


def find_unlogged(history: Sequence[Mapping[str, object]], evaluation: Evaluation) -> list[Verdict]:
    """`logged-value` (error): the saved model's validation accuracy is not what training logged for its best epoch.

    Up to 5 points (and 3 images) are left to test-time augmentation, averaged weights and arithmetic.

    Args:
        history: one entry an epoch: `best` and `val_accuracy`.
    """
    best = [row for row in history if _number(row.get("best")) == 1]
    logged = _number(best[-1].get("val_accuracy")) if best else math.nan
    accuracy = evaluation.overall["accuracy"].value
    if not math.isfinite(logged) or abs(logged - accuracy) <= max(LOGGED_TOLERANCE, 3 / max(evaluation.images, 1)):
        return []
    sentence = (
        f"Training logged a validation accuracy of {100 * logged:.1f} % for the epoch that was kept; the saved model "
        f"gives {100 * accuracy:.1f} %. Weights, label order or preprocessing changed on the way."
    )
    return [Verdict("logged-value", "error", sentence)]


def find_unreproduced(logged: Predictions, again: Predictions) -> list[Verdict]:
    """`not-reproduced` (error): the model file, loaded in another process, says something else than the predictions.

    Args:
        logged: the predictions of a split.
        again: new predictions of some of its images.
    """
    table = logged.table.set_index("image_path")
    columns = [f"logit_{name}" for name in logged.labels]
    before = table.loc[again.table["image_path"], columns].to_numpy(np.float64)
    gap = np.abs(before - again.logits) - SAME_LOGIT * (1 + np.abs(before))
    worst = float(np.abs(before - again.logits).max(initial=0.0))
    if not len(again) or not (gap > 0).any():
        return []
    target = again.target
    shares = [100 * float((logits.argmax(axis=1) == target).mean()) for logits in (before, again.logits)]
    sentence = (
        f"Loaded in a new process, the saved model gives other answers on {int((gap > 0).any(axis=1).sum())} of "
        f"{len(again)} validation images (logits differ by up to {worst:.2g}; accuracy {shares[1]:.1f} % instead of "
        f"{shares[0]:.1f} %): what is in the file is not what was evaluated."
    )
    return [Verdict("not-reproduced", "error", sentence)]


def find_identical(runs: Mapping[str, Predictions]) -> list[Verdict]:
    """`identical-runs` (warning): runs that give every image the very same probabilities: one may be a copy."""
    found = []
    for (one, first), (other, second) in combinations(runs.items(), 2):
        if first.table["image_path"].tolist() == second.table["image_path"].tolist() and np.array_equal(
            first.probs, second.probs
        ):
            sentence = f"{one} and {other} give every image the very same probabilities: one of them may be a copy."
            found.append(Verdict("identical-runs", "warning", sentence))
    return found


def _number(value: object) -> float:
    try:
        return float(str(value)) if value not in (None, "") else math.nan
    except ValueError:
        return math.nan
