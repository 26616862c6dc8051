"""The people who are drawn: everything about a body that stays the same from one image to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

PATIENT_STREAM = 11
"""Keeps the draws of a patient's body apart from other draws made from the same seed."""


@dataclass(frozen=True)
class Patient:
    """One body, in body units: the long side of a picture at zoom 1 is 1, x = 0 is the midline, y = 0 the top.

    Args:
        seed: what the body, its vessels and its lesion are drawn from.
        age_years: 1 to 90.
        sex: `F` or `M`.
        width: half-width of the rib cage at its widest.
        apex: y of the lung apices.
        base: y of the costophrenic angles.
        domes: height of the right and left diaphragm over those angles.
        wall: thickness of the soft tissue outside the ribs.
        heart: cardiothoracic ratio.
        heart_tilt: how far the apex points down, body units.
        mediastinum: half-width of the upper mediastinum.
        rib_drop: how much lower the front end of a rib lies than its back end.
        rib_width: width of a rib.
        rib_pairs: pairs of ribs drawn.
        bone: density of bone, 1 = average.
        clavicle_rise: how much higher the outer end of a clavicle lies.
        vessels: prominence of the lung vessels, 1 = average.
        breast: strength of the breast shadows, 0 = none.
        arms: angle of the upper arms from the body, degrees.
        severity: extent and density of a lesion, 1 = average.
    """

    seed: int
    age_years: int
    sex: Literal["F", "M"]
    width: float
    apex: float
    base: float
    domes: tuple[float, float]
    wall: float
    heart: float
    heart_tilt: float
    mediastinum: float
    rib_drop: float
    rib_width: float
    rib_pairs: int
    bone: float
    clavicle_rise: float
    vessels: float
    breast: float
    arms: float
    severity: float

    def generator(self, stream: int) -> np.random.Generator:
        """Random numbers that are the same in each image of this patient; one stream a purpose."""
        return np.random.default_rng([self.seed, stream])


def draw_patient(seed: int) -> Patient:
    """A patient from a seed (at least 0): a third are children, who have wider hearts and flatter ribs."""
    rng = np.random.default_rng([seed, PATIENT_STREAM])
    child = bool(rng.random() < 1 / 3)
    age = int(rng.integers(1, 13)) if child else int(rng.integers(18, 91))
    sex: Literal["F", "M"] = "F" if rng.random() < 0.5 else "M"
    spread = np.clip(rng.standard_normal(16), -2.2, 2.2)
    width = (0.315 if child else 0.35) + 0.016 * spread[0]
    right_dome = 0.105 + 0.012 * spread[3]
    return Patient(
        seed=seed,
        age_years=age,
        sex=sex,
        width=width,
        apex=0.115 + 0.012 * spread[1],
        base=(0.79 if child else 0.83) + 0.02 * spread[2],
        domes=(right_dome, right_dome - 0.024 + 0.008 * spread[4]),
        wall=(0.035 if child else 0.05) * float(np.exp(0.3 * spread[5])),
        heart=(0.51 if child else 0.455) + 0.03 * spread[6],
        heart_tilt=0.02 * spread[7],
        mediastinum=(0.075 if child else 0.06) + 0.007 * spread[8],
        rib_drop=(0.15 if child else 0.2) + 0.018 * spread[9],
        rib_width=(0.017 if child else 0.021) + 0.0015 * spread[10],
        rib_pairs=10,
        bone=(0.85 if child else 1.0) * float(np.exp(0.12 * spread[11])),
        clavicle_rise=0.055 + 0.03 * spread[12],
        vessels=float(np.exp(0.22 * spread[13])),
        breast=float(rng.uniform(0.3, 1.0)) if sex == "F" and age > 15 else 0.0,
        arms=float(rng.uniform(12, 55)),
        severity=float(np.exp(0.2 * spread[15])),
    )
