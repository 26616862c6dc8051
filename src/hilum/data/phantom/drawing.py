"""One drawn radiograph with its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilum.data.phantom.chest import draw_chest
from hilum.data.phantom.film import Planted, annotate, expose, lay_wires
from hilum.data.phantom.findings import FINDINGS, draw_lesion
from hilum.data.phantom.frame import Frame, add_layer, times
from hilum.data.phantom.machine import Machine
from hilum.data.phantom.patient import Patient
from hilum.data.phantom.texture import NOISE_MEAN, NOISE_SD, smooth_noise
from hilum.errors import UsageError


@dataclass(frozen=True)
class Facts:
    """What is known of a drawing.

    Args:
        finding: one of `FINDINGS`.
        machine: name of the device.
        view: `PA` or `AP`.
        rotation: of the body on the picture, degrees.
        zoom: pixels a body unit over the longer side.
        lesion_box: left, top, right, bottom of the lesion mask in pixels, the last two exclusive; None without lesion.
    """

    finding: str
    machine: str
    view: str
    rotation: float
    zoom: float
    lesion_box: tuple[int, int, int, int] | None


@dataclass(frozen=True)
class Drawing:
    """One drawn radiograph.

    Args:
        intensity: `[H, W]` float32 in [0, 1], lungs dark.
        lung_mask: `[H, W]` bool, lungs that neither heart nor diaphragm nor border covers.
        lesion_mask: `[H, W]` bool, inside `lung_mask`; empty when normal.
        facts: what is known of it.
    """

    intensity: np.ndarray
    lung_mask: np.ndarray
    lesion_mask: np.ndarray
    facts: Facts

    @property
    def pixels(self) -> np.ndarray:
        """The picture in 8 bits, uint8 `[H, W]`."""
        return np.rint(self.intensity * np.float32(255)).astype(np.uint8)


def box_of(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of what is set in a mask `[H, W]`, the last two exclusive; None when nothing is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _pose(machine: Machine, size: int, shift: float, generator: np.random.Generator) -> tuple[Frame, float]:
    """How the patient stands before the detector, and how deep the breath is (body units)."""
    tilt, right, down, zoom, breath = np.clip(generator.standard_normal(5), -2.2, 2.2)
    height = round(size / max(machine.aspect, 1))
    width = round(size * min(machine.aspect, 1))
    scale = size * machine.zoom * float(np.exp(0.035 * zoom)) * (1 - 0.12 * shift) * min(1, 1.06 * height / size)
    return Frame(height, width, scale, float(2.0 * tilt), (0.012 * right, 0.012 * down)), 0.012 * float(breath)


def draw_image(
    patient: Patient,
    finding: str,
    machine: Machine,
    generator: np.random.Generator,
    difficulty: float = 0.5,
    *,
    size: int = 224,
    planted: Planted = Planted(),  # noqa: B008 - frozen
) -> Drawing:
    """Draws one radiograph of a patient.

    Args:
        finding: one of `FINDINGS`; the lesion's place belongs to the patient.
        generator: for all that differs between two images of one patient: pose, breath, exposure, noise.
        difficulty: 0 = lesions stand out, 1 = they almost drown in normal variation.
        size: longer side, pixels (32 to 4096).
        planted: what to do to the picture on purpose.

    Raises:
        UsageError: an unknown finding, or a difficulty or size out of range.
    """
    if finding not in FINDINGS:
        raise UsageError(f"finding {finding!r}", expected=f"one of {', '.join(FINDINGS)}")
    if not 0 <= difficulty <= 1:
        raise UsageError("difficulty", expected="a number from 0 to 1", found=str(difficulty))
    if not 32 <= size <= 4096:
        raise UsageError("image size", expected="32 to 4096 pixels", found=str(size))
    frame, breath = _pose(machine, size, planted.shift, generator)
    chest = draw_chest(patient, frame, breath, generator)
    lesion, gain, lesion_mask = draw_lesion(patient, chest, finding, difficulty, generator)
    attenuation = chest.attenuation
    add_layer(attenuation, lesion, gain)
    veil = frame.enlarge(smooth_noise(frame.reduced(8), 0.14, generator))
    spread = (0.015 + 0.035 * difficulty) * 255 / NOISE_SD
    add_layer(attenuation, times(chest.air, veil), spread)
    add_layer(attenuation, chest.air, -spread * NOISE_MEAN / 255)
    wires = lay_wires(frame, machine, generator)
    if wires is not None:
        add_layer(attenuation, wires, 0.5)
    picture = expose(attenuation, frame, machine, planted.shift, generator)
    seen = annotate(picture, machine, planted, generator)
    lesion_mask &= seen
    facts = Facts(finding, machine.name, machine.view, frame.rotation, frame.scale / size, box_of(lesion_mask))
    return Drawing(picture, chest.lung_mask & seen, lesion_mask, facts)
