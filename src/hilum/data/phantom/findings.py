"""What pneumonia does to a lung: added opacity, and the truth about where it lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from hilum.data.phantom.anatomy import LEFT, RIGHT, hila
from hilum.data.phantom.chest import AIR, Chest
from hilum.data.phantom.frame import times
from hilum.data.phantom.patient import Patient
from hilum.data.phantom.texture import net, normal_noise

FINDINGS = ("normal", "bacterial", "viral", "covid")
"""Every finding that can be drawn: none, a lobar consolidation, a diffuse interstitial pattern, peripheral ground
glass."""

FINDING_STREAM = 20
MASK_FROM = 0.4
"""A pixel belongs to the lesion where its envelope is at least this share of its densest place."""


OPACITY = 0.5
"""The attenuation that 255 stands for in the layer of a lesion."""


@dataclass(frozen=True)
class Lesion:
    """One finding on one picture, each layer `[H, W]` uint8.

    Args:
        opacity: what it adds to the attenuation; 255 = `OPACITY`.
        envelope: where it lies, without its fine structure; 255 = fully.
    """

    opacity: np.ndarray
    envelope: np.ndarray


def contrast(difficulty: float) -> float:
    """How dense lesions are, 1 = as a textbook would show them; falls steadily as difficulty in [0, 1] grows."""
    return 1.8 * 0.2**difficulty


def _place(patient: Patient, side: float, outwards: float, down: float) -> tuple[float, float]:
    """A point of a lung: 0 = next to the spine or at the apex, 1 = at the chest wall or at the base."""
    height = patient.base - patient.apex
    reach = patient.width * (0.62 + 0.36 * min(1.0, down / 0.55))
    return side * (0.13 * patient.width + outwards * (reach - 0.13 * patient.width)), patient.apex + down * height


def _edge(distance: np.ndarray, softness: float) -> np.ndarray:
    """1 inside (distance far below 1), 0 outside."""
    return 1 / (1 + np.exp(np.clip((distance - 1) / np.float32(softness), -30, 30)))


LOBES = (
    (RIGHT, 0.50, 0.27, 0.19, 0.13),
    (RIGHT, 0.42, 0.62, 0.15, 0.10),
    (RIGHT, 0.55, 0.76, 0.17, 0.13),
    (LEFT, 0.52, 0.27, 0.17, 0.14),
    (LEFT, 0.66, 0.60, 0.12, 0.13),
    (LEFT, 0.68, 0.76, 0.13, 0.13),
)
"""Side, how far outwards and down, half-axes across and along (body units)."""
LOBE_SHARES = (0.20, 0.13, 0.20, 0.17, 0.10, 0.20)


def _layer(values: np.ndarray) -> np.ndarray:
    """`[H, W]` in [0, 1] -> uint8."""
    return np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)


def _bacterial(patient: Patient, chest: Chest, rng: np.random.Generator, fine: np.random.Generator) -> Lesion:
    """One dense lobe with a fuzzy border, half of the upper ones cut off at the fissure, with air-filled bronchi."""
    coarse = chest.frame.reduced(2)
    side, outwards, down, across, along = LOBES[int(rng.choice(len(LOBES), p=LOBE_SHARES))]
    x, y = coarse.body()
    cx, cy = _place(patient, side, outwards + rng.uniform(-0.1, 0.1), down + rng.uniform(-0.04, 0.04))
    size = rng.uniform(0.75, 1.05) * patient.severity**0.4 * patient.width / 0.35
    distance = np.sqrt(((x - cx) / (across * size)) ** 2 + ((y - cy) / (along * size)) ** 2)
    distance += np.float32(0.16) * normal_noise(coarse, 0.06, rng)
    envelope = _edge(distance, rng.uniform(0.10, 0.2))
    if down < 0.4 and rng.random() < 0.5:
        envelope *= _edge(1 + (y - cy - 0.5 * along * size) / 0.01, 0.5)
    lumps = 1.1 + 0.1 * normal_noise(coarse, 0.025, fine)
    opacity = chest.frame.enlarge(_layer(envelope * lumps))
    bronchi = cv2.addWeighted(chest.vessels, -rng.uniform(0.15, 0.5), chest.vessels, 0, 255)
    return Lesion(times(opacity, bronchi), chest.frame.enlarge(_layer(envelope)))


def _viral(patient: Patient, chest: Chest, rng: np.random.Generator, fine: np.random.Generator) -> Lesion:
    """A net of fine lines through both lungs, densest around the hila, with thickened bronchial walls and some haze."""
    coarse = chest.frame.reduced(4)
    x, y = coarse.body()
    spread = np.float32(rng.uniform(0.13, 0.2))
    central = np.zeros_like(x)
    for hx, hy in hila(patient):
        central += np.exp(-((x - 1.25 * hx) ** 2 + 0.6 * (y - hy - 0.05) ** 2) / spread**2)
    patchy = np.clip(1 + 0.3 * normal_noise(coarse, 0.12, rng), 0.3, 1.7)
    envelope = (np.float32(rng.uniform(0.5, 0.7)) + np.minimum(central, 1)) * patchy / 1.7
    envelope = chest.frame.enlarge(_layer(envelope))
    lines = cv2.addWeighted(net(chest.frame, 0.020, fine), 0.22, net(chest.frame, 0.034, fine), 0.14, 0.18 * 255)
    structure = cv2.addWeighted(lines, 1, chest.vessels, 0.06, 0)
    return Lesion(times(structure, envelope), envelope)


def _covid(patient: Patient, chest: Chest, rng: np.random.Generator, fine: np.random.Generator) -> Lesion:
    """Hazy patches along the chest wall of both lungs, more and larger towards the bases."""
    coarse = chest.frame.reduced(2)
    x, y = coarse.body()
    clear = np.ones_like(x)
    warp = np.float32(0.25) * normal_noise(coarse, 0.05, rng)
    for index in range(int(rng.integers(5, 9))):
        down = 0.35 + 0.57 * np.sqrt(rng.random())
        cx, cy = _place(patient, (RIGHT, LEFT)[index % 2], rng.uniform(0.78, 0.98), down)
        size = rng.uniform(0.035, 0.075) * patient.severity**0.4
        distance = np.sqrt(((x - cx) / size) ** 2 + ((y - cy) / (1.35 * size)) ** 2) + warp
        clear *= 1 - np.float32(rng.uniform(0.55, 1.0)) * _edge(distance, 0.2)
    grains = 0.8 + np.float32(0.14) * normal_noise(coarse, 0.014, fine)
    return Lesion(chest.frame.enlarge(_layer((1 - clear) * grains)), chest.frame.enlarge(_layer(1 - clear)))


_DRAW: dict[str, Callable[[Patient, Chest, np.random.Generator, np.random.Generator], Lesion]] = {
    "bacterial": _bacterial,
    "viral": _viral,
    "covid": _covid,
}


def draw_lesion(
    patient: Patient, chest: Chest, finding: str, difficulty: float, generator: np.random.Generator
) -> tuple[np.ndarray, float, np.ndarray]:
    """Where a patient's finding lies and what it adds; the place is the patient's, its density changes a little.

    Args:
        finding: one of `FINDINGS`.
        difficulty: in [0, 1].
        generator: for what differs between two images of one patient.

    Returns:
        The layer `[H, W]` uint8 and the gain with which to add it to the attenuation; the mask `[H, W]` bool, inside
        the lung mask.
    """
    if finding == "normal":
        return chest.frame.layer(), 0.0, np.zeros_like(chest.lung_mask)
    rng = patient.generator(FINDING_STREAM + FINDINGS.index(finding))
    lesion = _DRAW[finding](patient, chest, rng, generator)
    density = contrast(difficulty) * patient.severity * float(np.exp(0.1 * generator.standard_normal()))
    visible = lesion.envelope * chest.lung_mask
    mask = visible >= max(MASK_FROM * float(visible.max()), 1)
    opacity = np.minimum(lesion.opacity, np.uint8(255 * AIR / (OPACITY * max(density, 1))))
    return times(opacity, chest.clear), OPACITY * density, mask
