"""A part of a very large data set, enough to measure with."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hilum.audit.views import Views
from hilum.data.manifest import Manifest

MOST_IMAGES = 30_000
"""Images that shortcuts and shift are probed on at most: an AUROC is known to half a point by then."""


def sample_patients(
    manifest: Manifest, views: Views, *, most: int = MOST_IMAGES, seed: int = 0
) -> tuple[Manifest, Views]:
    """Whole patients, drawn at random until `most` images are reached; all of them where there are no more.

    Args:
        views: of the manifest's images, in its order.
    """
    if len(manifest) <= most:
        return manifest, views
    rows = sample_rows(manifest.table["patient_id"], most=most, seed=seed)
    return manifest.with_table(manifest.table.iloc[rows]), views.of(rows)


def sample_rows(patient_id: Iterable[object], *, most: int = MOST_IMAGES, seed: int = 0) -> np.ndarray:
    """int64: the rows of whole patients, drawn at random until `most` are reached; all rows where there are no more."""
    patient, index = np.unique([str(each) for each in patient_id], return_inverse=True)
    if len(index) <= most:
        return np.arange(len(index))
    order = np.random.default_rng([seed, 4]).permutation(len(patient))
    chosen = np.cumsum(np.bincount(index)[order]) <= most
    return np.flatnonzero(np.isin(index, order[chosen]))
