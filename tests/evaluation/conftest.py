"""Drawn predictions: patients with one or more images, logits that know the class as well as asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from hilum.data.predictions import Predictions
from hilum.labels import LabelSet

LABELS = ("NORMAL", "bacteria", "virus")


def draw(
    patients: int = 150,
    *,
    labels: Sequence[str] = LABELS,
    shares: Sequence[float] | None = None,
    skill: float = 1.5,
    extra_images: float = 0.5,
    alike: float = 0.5,
    seed: int = 0,
    split: str = "test",
) -> Predictions:
    """Predictions of a drawn model.

    Args:
        shares: of patients in each class; equal by default.
        skill: how far the true class's logit stands out, in standard deviations of the noise; 0 = knows nothing.
        extra_images: mean number of images of a patient beyond the first.
        alike: correlation of the noise among images of a patient, in [0, 1].
    """
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), 1 + generator.poisson(extra_images, patients))
    target = generator.choice(len(labels), patients, p=shares)[patient]
    noise = np.sqrt(alike) * generator.normal(size=(patients, len(labels)))[patient]
    noise += np.sqrt(1 - alike) * generator.normal(size=(len(patient), len(labels)))
    rows = pd.DataFrame(
        {
            "image_path": [f"image{i}.png" for i in range(len(patient))],
            "patient_id": [f"patient{i}" for i in patient],
            "split": split,
            "label": [labels[i] for i in target],
        }
    )
    return Predictions.of(rows, skill * np.eye(len(labels))[target] + noise, LabelSet(tuple(labels)))


def of_matrix(confusion: Sequence[Sequence[int]], labels: Sequence[str], split: str = "test") -> Predictions:
    """Predictions with exactly this confusion matrix, every image a patient of its own, all equally sure."""
    cells = [
        (row, column)
        for row, counts in enumerate(confusion)
        for column, count in enumerate(counts)
        for _ in range(count)
    ]
    rows = pd.DataFrame(
        {
            "image_path": [f"image{i}.png" for i in range(len(cells))],
            "patient_id": [f"patient{i}" for i in range(len(cells))],
            "split": split,
            "label": [labels[row] for row, _ in cells],
        }
    )
    logits = 2 * np.eye(len(labels))[[column for _, column in cells]]
    return Predictions.of(rows, logits, LabelSet(tuple(labels)))


@pytest.fixture(name="draw")
def _draw() -> Callable[..., Predictions]:
    return draw


@pytest.fixture(name="of_matrix")
def _of_matrix() -> Callable[..., Predictions]:
    return of_matrix
