"""The cheap classifier behind every probe: ridge regression, cross-validated by patient, with one factorisation a fold.

Shuffled labels are further right-hand sides of the same equations, so a p-value costs little more than the figure.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from hilum.audit.auroc import macro_auroc, macro_auroc_estimate
from hilum.audit.folds import Design
from hilum.audit.ridge import factorise_folds, held_out_scores
from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.values import Estimate

Key = TypeVar("Key", bound=Hashable)

BLOCK = 40
"""Label vectors that are scored at a time: bounds memory to `BLOCK` x N numbers."""


@dataclass(frozen=True)
class ProbeResult:
    """What a probe could tell of the labels.

    Args:
        auroc: of the scores of held-out images, mean of one class against the rest; interval by patient.
        p: share of the shuffles (this one counted) that did as well.
        shuffled: float64 `[P]`, AUROC with each of the shuffled labels.
        scores: float64 `[N, C]`, held-out scores of the classes `Design.columns`.
    """

    auroc: Estimate
    p: float
    shuffled: np.ndarray
    scores: np.ndarray

    @property
    def surprise(self) -> float:
        """How many standard deviations of the shuffles the figure lies above their mean."""
        spread = float(self.shuffled.std())
        return (self.auroc.value - float(self.shuffled.mean())) / spread if spread > 0 else 0.0


def run_probe(features: np.ndarray, design: Design) -> ProbeResult:
    """Cross-validates a ridge classifier on features and on shuffles of the labels.

    Args:
        features: float `[N, D]`, finite.
        design: labels, folds and shuffles.
    """
    folds = factorise_folds(features, design.fold)
    scores = held_out_scores(features, folds, design.fold, _one_hot(design.labels[None], design.columns))
    shuffled = [
        macro_auroc(held_out_scores(features, folds, design.fold, _one_hot(block, design.columns)), block, design)
        for block in _blocks(design.shuffled, max(1, BLOCK // len(design.columns)))
    ]
    null = np.concatenate(shuffled) if shuffled else np.zeros(0)
    auroc = macro_auroc_estimate(scores[:, 0], design.labels, design.columns, design.patients, seed=design.seed)
    p = (1 + int((null >= auroc.value - 1e-12).sum())) / (1 + len(null))
    return ProbeResult(auroc, p, null, scores[:, 0])


def held_out_auroc(features: np.ndarray, design: Design) -> float:
    """As `run_probe`, the figure alone: neither interval nor shuffles."""
    folds = factorise_folds(features, design.fold)
    scores = held_out_scores(features, folds, design.fold, _one_hot(design.labels[None], design.columns))
    return float(macro_auroc(scores, design.labels[None], design)[0])


def held_out_class_scores(features: np.ndarray, design: Design) -> np.ndarray:
    """Held-out scores of every class, float64 `[N, K]`: about the share of the class among images like this one."""
    folds = factorise_folds(features, design.fold)
    targets = _one_hot(design.labels[None], tuple(range(design.num_classes)))
    return held_out_scores(features, folds, design.fold, targets)[:, 0]


def corrected(results: Mapping[Key, ProbeResult]) -> dict[Key, float]:
    """p-values that account for how many probes were tried (Westfall and Young's single-step max-T).

    A probe's figure, in standard deviations of its shuffles, is compared with the largest one that any probe reached on
    the same shuffle. Unlike Holm's correction this does not pay twice for probes that see the same thing.

    Args:
        results: probes of one `Design`.
    """
    if not results:
        return {}
    nulls = np.array([each.shuffled for each in results.values()])
    spread = nulls.std(axis=1, keepdims=True)
    largest = ((nulls - nulls.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, np.inf)).max(axis=0)
    return {
        name: (1 + int((largest >= each.surprise - 1e-12).sum())) / (1 + len(largest)) for name, each in results.items()
    }


def probe_elsewhere(
    features: np.ndarray, labels: np.ndarray, fitted_on: np.ndarray, applied_to: np.ndarray, patients: Patients
) -> Estimate:
    """Fits on some images and applies to others.

    Args:
        features: float `[N, D]`.
        labels: int `[N]` in [0, K).
        fitted_on, applied_to: bool `[N]`, no image in both.
        patients: of all images.

    Returns:
        AUROC on the others with its interval.
    """
    num_classes = int(labels.max()) + 1
    columns = (1,) if num_classes == 2 else tuple(range(num_classes))
    held_out = np.where(applied_to, 0, -1)
    inside = fitted_on | applied_to
    (fold,) = factorise_folds(features[inside], held_out[inside])
    targets = _one_hot(labels[None, inside], columns)
    scores = held_out_scores(features[inside], [fold], held_out[inside], targets)[held_out[inside] == 0, 0]
    chosen = Patients.of(patients.index[applied_to])
    return macro_auroc_estimate(scores, labels[applied_to], columns, chosen)


def _blocks(shuffled: np.ndarray, size: int) -> list[np.ndarray]:
    return [shuffled[start : start + size] for start in range(0, len(shuffled), size)]


def _one_hot(labels: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
    """`[P, N]` -> float64 `[N, P, C]`."""
    return (labels.T[:, :, None] == np.array(columns)).astype(np.float64)
