"""The shapes of a chest in body units: x to the right of the picture (the patient's left), y down."""

from __future__ import annotations

import numpy as np

from hilum.data.phantom.frame import spline
from hilum.data.phantom.patient import Patient

RIGHT, LEFT = -1.0, 1.0
"""The sign of x on the patient's right side (left on the picture) and left side."""

MIRROR = np.array([[[-1.0, 1.0]], [[1.0, 1.0]]])
"""Turns a left shape `[N, 2]` into both, `[2, N, 2]`, the right one first."""

BACK, FRONT = np.deg2rad(np.linspace(4, 97, 12)), np.deg2rad(np.linspace(84, 146, 9))
"""The angles, seen from above, at which a rib is drawn: 0 = at the spine, 90 = at the side, 180 = in front."""

ALONG_ARM = np.linspace(0, 1, 4)[:, None]
ALONG_CLAVICLE = np.linspace(0, 1, 12)[:, None]
CLAVICLE_BEND = (0.016 * np.sin(2 * np.pi * ALONG_CLAVICLE) + 0.006 * np.sin(np.pi * ALONG_CLAVICLE)) * (0.0, 1.0)
VERTEBRA_TOP = np.linspace(-0.02, 1.25, 23)
VERTEBRA_PITCH = VERTEBRA_TOP[1] - VERTEBRA_TOP[0]
VERTEBRA_HALF = np.linspace(0.034, 0.046, 23)


def lungs(patient: Patient, breath: float = 0.0) -> np.ndarray:
    """Outlines `[2, N, 2]` of both lungs as far as they show beside the spine and above the diaphragm, the right first.

    Args:
        breath: how much deeper than average the patient breathed in, body units.
    """
    w, top, base = patient.width, patient.apex, patient.base + breath
    height = base - top
    points = np.array(
        [
            (0.42 * w, top),
            (0.63 * w, top + 0.05 * height),
            (0.82 * w, top + 0.20 * height),
            (0.93 * w, top + 0.44 * height),
            (0.995 * w, top + 0.72 * height),
            (0.985 * w, base - 0.012),
            (0.975 * w, base),
            (0.955 * w, base - 0.010),
            (0.80 * w, 0.0),
            (0.52 * w, 0.0),
            (0.26 * w, 0.0),
            (0.14 * w, 0.0),
            (0.13 * w, top + 0.5 * height),
            (0.14 * w, top + 0.22 * height),
            (0.22 * w, top + 0.05 * height),
        ]
    )
    both = np.stack([points, points])
    both[:, 8:12, 1] = base - np.outer(patient.domes, (0.75, 1.0, 0.82, 0.70)) * (1 - 3 * breath)
    return spline(both, 6, closed=True) * MIRROR


def heart(patient: Patient, breath: float = 0.0) -> np.ndarray:
    """Outline of the heart; a third of its width lies right of the midline."""
    p = patient
    width = 2 * p.width * p.heart
    right, left = -0.35 * width, 0.65 * width
    bottom = p.base + breath - 0.035
    top = bottom - 1.02 * width
    points = [
        (-0.16 * width, top + 0.03),
        (0.10 * width, top - 0.01),
        (0.32 * width, top + 0.13 * width),
        (0.51 * width, top + 0.37 * width),
        (left - 0.025, bottom - 0.36 * width + p.heart_tilt),
        (left, bottom - 0.17 * width + p.heart_tilt),
        (left - 0.04, bottom + 0.01 + p.heart_tilt),
        (0.0, bottom + 0.04),
        (right + 0.03, bottom + 0.01),
        (right, bottom - 0.25 * width),
        (right + 0.012, bottom - 0.48 * width),
        (-0.24 * width, top + 0.27 * width),
    ]
    return spline(points, 6, closed=True)


def mediastinum(patient: Patient) -> np.ndarray:
    """Outline of the great vessels and what lies around them, from the neck into the heart, with the aortic knob."""
    p, m, top = patient, patient.mediastinum, patient.apex
    knob = top + 0.27 * (p.base - top)
    points = [
        (-0.8 * m, -0.2),
        (0.8 * m, -0.2),
        (0.7 * m, top - 0.02),
        (0.68 * m, knob - 0.06),
        (1.15 * m, knob - 0.015),
        (1.15 * m, knob + 0.03),
        (0.85 * m, knob + 0.07),
        (1.0 * m, knob + 0.16),
        (0.9 * m, p.base + 0.1),
        (-0.9 * m, p.base + 0.1),
        (-0.95 * m, knob + 0.12),
        (-0.85 * m, knob),
        (-0.62 * m, top + 0.03),
    ]
    return spline(points, 5, closed=True)


def body(patient: Patient) -> np.ndarray:
    """Outline of neck, shoulders and trunk."""
    p = patient
    trunk = p.width + p.wall
    neck = 0.30 * p.width
    half = [
        (neck, -0.35),
        (neck, p.apex - 0.15),
        (1.25 * neck, p.apex - 0.095),
        (0.70 * trunk, p.apex - 0.035),
        (1.08 * trunk, p.apex + 0.005),
        (1.20 * trunk, p.apex + 0.10),
        (1.10 * trunk, p.apex + 0.24),
        (1.0 * trunk, p.apex + 0.40),
        (1.0 * trunk, p.base - 0.08),
        (0.985 * trunk, p.base + 0.10),
        (1.02 * trunk, 1.5),
    ]
    mirrored = [(-x, y) for x, y in reversed(half)]
    return spline(half + mirrored, 5, closed=True)


def arms(patient: Patient) -> np.ndarray:
    """Middle lines `[2, N, 2]` of the upper arms, from the shoulder joints outwards."""
    p = patient
    angle = np.deg2rad(p.arms)
    start = np.array([1.08 * (p.width + p.wall), p.apex + 0.07])
    return (start + 0.55 * ALONG_ARM * np.array([np.sin(angle), np.cos(angle)])) * MIRROR


def ribs(patient: Patient, breath: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Middle lines of the back and front halves of the ribs of both sides, `[ribs, N, 2]` each.

    A rib is taken as an ellipse in a plane that is tilted forwards, seen from the front.
    """
    p = patient
    number = np.arange(p.rib_pairs, dtype=np.float64)[:, None]
    height = p.base - p.apex + 0.5 * breath
    root = p.apex - 0.035 + number * height / 9.3
    share = np.clip((number + 0.55) / 6.5, 0, 1)
    reach = p.width * 1.02 * (0.52 + 0.48 * np.sin(share * np.pi / 2))
    drop = p.rib_drop * np.clip(0.55 + 0.09 * number, 0, 1.15)

    def half(angle: np.ndarray) -> np.ndarray:
        x = 0.025 + (reach - 0.025) * np.sin(angle) ** 0.9
        y = root + drop * (1 - np.cos(angle)) / 2 - 0.016 * np.sin(2 * angle)
        return np.concatenate([np.stack([-x, y], -1), np.stack([x, y], -1)])

    return half(BACK), half(FRONT)


def strip(lines: np.ndarray, width: float) -> np.ndarray:
    """Lines `[..., N, 2]` -> outlines `[..., 2N, 2]` of bands around them, `width` across."""
    steps = np.diff(lines, axis=-2)
    along = np.concatenate([steps[..., :1, :], steps[..., 1:, :] + steps[..., :-1, :], steps[..., -1:, :]], -2)
    across = along[..., ::-1] * (-1, 1)
    across *= width / 2 / np.sqrt((along**2).sum(axis=-1, keepdims=True))
    return np.concatenate([lines + across, (lines - across)[..., ::-1, :]], -2)


def clavicles(patient: Patient) -> np.ndarray:
    """Middle lines `[2, N, 2]` of the clavicles, from the sternum outwards: a shallow S."""
    p = patient
    inner, outer = np.array([0.035, p.apex + 0.065]), np.array([0.98 * p.width, p.apex + 0.045 - p.clavicle_rise])
    return (inner + ALONG_CLAVICLE * (outer - inner) + CLAVICLE_BEND) * MIRROR


def scapulae(patient: Patient) -> np.ndarray:
    """Outlines `[2, N, 2]` of the shoulder blades; their inner borders lie over the outer lungs."""
    p, w = patient, patient.width
    points = [
        (0.84 * w, p.apex + 0.045),
        (1.12 * w, p.apex + 0.045),
        (1.17 * w, p.apex + 0.10),
        (1.10 * w, p.apex + 0.20),
        (1.00 * w, p.apex + 0.36),
        (0.955 * w, p.apex + 0.37),
        (0.90 * w, p.apex + 0.22),
    ]
    return spline(points, 6, closed=True) * MIRROR


def vertebrae(patient: Patient) -> np.ndarray:
    """Outlines `[vertebrae, 4, 2]` of the vertebral bodies, growing downwards."""
    half = VERTEBRA_HALF * patient.width / 0.35
    gap = 0.09 * VERTEBRA_PITCH
    top, bottom = VERTEBRA_TOP + gap, VERTEBRA_TOP + VERTEBRA_PITCH - gap
    return np.stack([-half, top, half, top, half, bottom, -half, bottom], 1).reshape(-1, 4, 2)


def trachea(patient: Patient) -> list[np.ndarray]:
    """Middle lines of the windpipe and the two main bronchi."""
    carina = patient.apex + 0.30 * (patient.base - patient.apex)
    pipe = np.array([(0.0, -0.2), (-0.004, patient.apex), (-0.006, carina)])
    right = np.array([(-0.006, carina), (-0.035, carina + 0.035), (-0.06, carina + 0.085)])
    left = np.array([(-0.006, carina), (0.03, carina + 0.035), (0.075, carina + 0.065)])
    return [pipe, spline(right, 4), spline(left, 4)]


def hila(patient: Patient) -> np.ndarray:
    """The points `[2, 2]` where the vessels enter the right and the left lung; the left one lies a little higher."""
    height = patient.base - patient.apex
    across, left, right = 0.26 * patient.width, patient.apex + 0.39 * height, patient.apex + 0.42 * height
    return np.array([(-across, right), (across, left)])
