"""What is unlike the normal images: detectors that are fitted on normal embeddings, thresholds, and how good they are.

A detector is a frozen value with a class method `fit(normal)` and a method `score(embedding) -> [M]`, larger is
stranger. `DETECTORS` lists those that take embeddings; `PatchMemory` takes patches of each image instead.
"""

from hilum.inspection.anomaly.assess import Assessment, assess, pair_up
from hilum.inspection.anomaly.density import KernelDensity, log_density
from hilum.inspection.anomaly.detectors import DETECTORS, TITLES, Detector, fit_detectors, score_all
from hilum.inspection.anomaly.gaussian import Gaussian
from hilum.inspection.anomaly.nearest import NearestNormals
from hilum.inspection.anomaly.patches import PatchMemory
from hilum.inspection.anomaly.rule import Rule, fit_rule
from hilum.inspection.anomaly.scores import Scores, read_scores

__all__ = [
    "DETECTORS",
    "TITLES",
    "Assessment",
    "Detector",
    "Gaussian",
    "KernelDensity",
    "NearestNormals",
    "PatchMemory",
    "Rule",
    "Scores",
    "assess",
    "fit_detectors",
    "fit_rule",
    "log_density",
    "pair_up",
    "read_scores",
    "score_all",
]
