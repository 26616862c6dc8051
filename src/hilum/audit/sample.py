"""A part of a very large data set, enough to measure with."""

from __future__ import annotations

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
    patient, index = np.unique(manifest.table["patient_id"].astype(str), return_inverse=True)
    order = np.random.default_rng([seed, 4]).permutation(len(patient))
    chosen = np.cumsum(np.bincount(index)[order]) <= most
    rows = np.flatnonzero(np.isin(index, order[chosen]))
    return manifest.with_table(manifest.table.iloc[rows]), views.of(rows)
