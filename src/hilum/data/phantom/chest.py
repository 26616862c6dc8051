"""A body becomes a map of how much it attenuates: shapes are drawn as 8-bit layers and added up."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hilum.data.phantom import anatomy
from hilum.data.phantom.frame import Frame, Shapes, add_layer, spline, times
from hilum.data.phantom.patient import Patient
from hilum.data.phantom.texture import branches, smooth_noise

GAS_STREAM = 14
COARSE = 4
"""Smooth layers are drawn this many times smaller."""
AIR = 0.47
"""Attenuation that a full thickness of lung takes away."""
CIRCLE = np.linspace(0, 2 * np.pi, 8, endpoint=False)


@dataclass(frozen=True)
class Chest:
    """A healthy chest on a frame, still perfectly sharp.

    Args:
        attenuation: `[H, W]` float32, 0 outside the body, about 0.3 in lung and 1 in the mediastinum.
        air: `[H, W]` uint8, how much lung the ray meets; 255 = most.
        clear: `[H, W]` uint8, the same where neither heart nor great vessels lie before it.
        lung_mask: `[H, W]` bool, the lungs as far as neither heart nor diaphragm covers them.
        vessels: `[H, W]` uint8.
        frame: where the body lies.
    """

    attenuation: np.ndarray
    air: np.ndarray
    clear: np.ndarray
    lung_mask: np.ndarray
    vessels: np.ndarray
    frame: Frame


def _depth(frame: Frame, outlines: Shapes, full: float, least: float) -> np.ndarray:
    """How thick rounded shapes are, uint8 `[H, W]`: `least` of 255 at their outlines, 255 from `full` body units on."""
    layer = frame.layer()
    frame.fill(layer, outlines)
    padded = cv2.copyMakeBorder(layer, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(cv2.threshold(padded, 127, 255, cv2.THRESH_BINARY)[1], cv2.DIST_L2, 3)[1:-1, 1:-1]
    share = np.minimum(distance / np.float32(full * frame.scale), 1)
    depth = np.rint(255 * (least + (1 - least) * np.sqrt(share * (2 - share)))).astype(np.uint8)
    frame.blur(depth, 0.012)
    return depth


def _soft_tissue(patient: Patient, frame: Frame) -> np.ndarray:
    """Trunk, arms and breasts, uint8; 255 is an attenuation of 1. No edge but the skin is sharp."""
    coarse = frame.reduced(COARSE)
    outlines = [anatomy.body(patient), *anatomy.strip(anatomy.arms(patient), 0.11 + 0.5 * patient.wall)]
    tissue = np.float32(0.72) * _depth(coarse, outlines, 0.17, 0.05)
    if patient.breast:
        x, y = coarse.body()
        dx = (np.abs(x) - 0.5 * patient.width) / (0.42 * patient.width)
        dy = (y - (patient.base - 0.12)) / 0.13
        lobe = np.maximum(1 - dx**2 - np.where(dy > 0, 1.6, 0.7) * dy**2, 0)
        tissue = tissue + np.float32(255 * 0.13 * patient.breast) * np.sqrt(lobe)
    skin = frame.layer()
    frame.fill(skin, outlines)
    return times(frame.enlarge(tissue.astype(np.uint8)), skin)


def _solid(patient: Patient, frame: Frame, breath: float) -> tuple[np.ndarray, np.ndarray]:
    """What stands between the lungs and below them: uint8, 255 for 0.5; and the silhouette of heart and vessels."""
    silhouette, column = frame.layer(), frame.layer()
    frame.fill(silhouette, [anatomy.heart(patient, breath)], 205)
    frame.fill(column, [anatomy.mediastinum(patient)], 165)
    silhouette = cv2.max(silhouette, column)
    coarse = frame.reduced(COARSE)
    belly = coarse.layer()
    top, wide = patient.base + breath - 0.05, patient.width + 0.5 * patient.wall
    coarse.fill(belly, [np.array([(-wide, top), (0, top - 0.03), (wide, top), (wide, 1.5), (-wide, 1.5)])], 175)
    coarse.blur(belly, 0.03)
    return cv2.max(silhouette, frame.enlarge(belly)), silhouette


def _gas(patient: Patient, frame: Frame, breath: float) -> np.ndarray:
    """Windpipe and bronchi, the air bubble of the stomach, some bowel gas: uint8, 255 for 0.3 less attenuation."""
    rng = patient.generator(GAS_STREAM)
    layer, (pipe, *bronchi) = frame.layer(), anatomy.trachea(patient)
    frame.stroke(layer, bronchi, 0.018, 70)
    frame.stroke(layer, [pipe], 0.034, 110)
    count = int(rng.integers(1, 6))
    x = rng.uniform(-0.6, 0.7, count) * patient.width
    y = patient.base + breath + rng.uniform(0.08, 0.2, count)
    x[0], y[0] = 0.45 * patient.width, patient.base + breath + 0.005
    radius = rng.uniform(0.018, 0.042, (count, 1)) * (1 + 0.25 * rng.standard_normal((count, 8)))
    blobs = np.stack([x[:, None] + 1.3 * radius * np.cos(CIRCLE), y[:, None] + 0.8 * radius * np.sin(CIRCLE)], -1)
    frame.fill(layer, spline(blobs, 4, closed=True), int(rng.uniform(90, 200)))
    side = 2 * round(0.008 * frame.scale) + 1
    return cv2.blur(layer, (side, side))


def _cage(patient: Patient, frame: Frame, breath: float) -> np.ndarray:
    """Ribs and clavicles, uint8; 255 is an attenuation of 0.5. The compact outer layer shows at the edges."""
    total, edges = frame.layer(), frame.layer()
    for lines, (value, rim) in zip(anatomy.ribs(patient, breath), ((54, 42), (30, 22)), strict=True):
        layer = frame.layer()
        outlines = anatomy.strip(lines, patient.rib_width)
        frame.fill(layer, outlines, value, apart=True)
        frame.stroke(edges, outlines, 0.003, rim, closed=True)
        cv2.add(total, layer, total)
    collars = anatomy.strip(anatomy.clavicles(patient), 0.029)
    layer = frame.layer()
    frame.fill(layer, collars, 80, apart=True)
    frame.stroke(edges, collars, 0.004, 50, closed=True)
    cv2.add(total, layer, total)
    return cv2.add(total, edges, total)


def _shoulders(patient: Patient, frame: Frame) -> np.ndarray:
    """Shoulder blades and upper arms, uint8; 255 is an attenuation of 0.5."""
    blades, shafts = frame.layer(), frame.layer()
    shapes, arms = anatomy.scapulae(patient), anatomy.arms(patient)
    frame.fill(blades, shapes, 30, apart=True)
    frame.stroke(blades, shapes, 0.005, 52, closed=True)
    frame.stroke(shafts, arms, 0.036, 85)
    frame.stroke(shafts, arms[:, :2] * (1, 0) + arms[:, :1] * (0, 1), 0.075, 85)
    return cv2.add(blades, shafts, blades)


def _spine(patient: Patient, frame: Frame) -> np.ndarray:
    """Vertebral bodies with their spinous processes, uint8; 255 is an attenuation of 0.5."""
    bodies = anatomy.vertebrae(patient)
    layer, process = frame.layer(), frame.layer()
    half = float(np.mean(bodies[:, 1, 0]))
    frame.fill(layer, [np.array([(-half, -0.3), (half, -0.3), (1.3 * half, 1.5), (-1.3 * half, 1.5)])], 12)
    frame.fill(layer, bodies, 30, apart=True)
    middle = bodies.mean(axis=1, keepdims=True)
    frame.stroke(process, middle + np.array([(0, -0.008), (0, 0.014)]), 0.010, 20)
    return cv2.add(layer, process, layer)


def _bones(patient: Patient, frame: Frame, breath: float, clear: np.ndarray) -> np.ndarray:
    """All bones; over soft tissue, which scatters more, they show half as much."""
    bones = cv2.add(_cage(patient, frame, breath), _shoulders(patient, frame))
    cv2.add(bones, _spine(patient, frame), bones)
    return times(bones, cv2.addWeighted(clear, 0.45, clear, 0, 0.55 * 255))


def _vessels(patient: Patient, frame: Frame) -> np.ndarray:
    layer = frame.layer()
    widths = ((0.0065, 140), (0.004, 85), (0.003, 50))
    for lines, (width, value) in reversed(list(zip(branches(patient), widths, strict=True))):
        frame.stroke(layer, lines, width, value)
    knot = 0.03 * spline([(0, -1.3), (0.6, 0), (0, 1.5), (-0.6, 0)], 4, closed=True)
    frame.fill(layer, knot + anatomy.hila(patient)[:, None], 150, apart=True)
    return layer


def draw_chest(patient: Patient, frame: Frame, breath: float, generator: np.random.Generator) -> Chest:
    """A healthy chest: what one patient looks like on one frame.

    Args:
        breath: how much deeper than average the patient breathed in, body units.
        generator: only for the fine texture, which no two images share.
    """
    lungs = anatomy.lungs(patient, breath)
    lung = frame.layer()
    frame.fill(lung, lungs, apart=True)
    air = times(lung, frame.enlarge(_depth(frame.reduced(COARSE), lungs, 0.15, 0.35)))
    solid, silhouette = _solid(patient, frame, breath)
    clear = cv2.addWeighted(air, 1, silhouette, -1.25, 0)
    vessels = _vessels(patient, frame)
    grain = frame.enlarge(smooth_noise(frame.reduced(2), 0.02, generator))

    attenuation = _soft_tissue(patient, frame).astype(np.float32)
    attenuation *= np.float32(1 / 255)
    add_layer(attenuation, solid, 0.5)
    add_layer(attenuation, air, -0.45 * AIR - 0.016)
    add_layer(attenuation, clear, -0.55 * AIR)
    add_layer(attenuation, times(air, grain), 0.032)
    add_layer(attenuation, times(air, vessels), 0.22 * patient.vessels)
    add_layer(attenuation, _bones(patient, frame, breath, clear), 0.5 * patient.bone)
    add_layer(attenuation, _gas(patient, frame, breath), -0.3)
    mask = (lung > 127) & (silhouette < 82)
    return Chest(attenuation, air, clear, mask, vessels, frame)
