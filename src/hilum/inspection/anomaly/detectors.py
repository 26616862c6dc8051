"""The detectors by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import numpy as np

from hilum.inspection.anomaly.density import KernelDensity
from hilum.inspection.anomaly.gaussian import Gaussian
from hilum.inspection.anomaly.nearest import NearestNormals

COMPONENTS = 32
"""Principal components under the kernel density: few enough that a thousand images fill them."""


class Detector(Protocol):
    """Something that was fitted on normal embeddings."""

    def score(self, embedding: np.ndarray, /) -> np.ndarray:
        """embedding `[M, D]` -> float64 `[M]`, larger is stranger."""


DETECTORS: Mapping[str, Callable[[np.ndarray], Detector]] = {
    "gaussian": Gaussian.fit,
    "kde": lambda normal: KernelDensity.fit(normal, bandwidth=None, components=COMPONENTS),
    "knn": NearestNormals.fit,
}
"""Name -> normal embeddings `[N, D]` -> the fitted detector. No setting is chosen by looking at abnormal images."""

TITLES: Mapping[str, str] = {
    "error": "Autoencoder: reconstruction error",
    "density": "Autoencoder: density of the code",
    "error-or-density": "Autoencoder: error or density",
    "gaussian": "Embedding: Gaussian",
    "kde": "Embedding: kernel density after PCA",
    "knn": "Embedding: nearest normals",
    "patches": "Patches: nearest normals",
}
"""Name of a score or rule -> a few words."""


def fit_detectors(normal: np.ndarray, names: Collection[str] = tuple(DETECTORS)) -> dict[str, Detector]:
    """Fits the named detectors on normal embeddings `[N, D]`."""
    return {name: fit(normal) for name, fit in DETECTORS.items() if name in names}


def score_all(detectors: Mapping[str, Detector], embedding: np.ndarray) -> dict[str, np.ndarray]:
    """What each says of the same embeddings `[M, D]`: name -> float64 `[M]`."""
    return {name: detector.score(embedding) for name, detector in detectors.items()}
