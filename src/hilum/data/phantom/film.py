"""Attenuation becomes a picture: wires, exposure, contrast curve, noise, border, marker, text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from hilum.data.phantom.frame import Frame, spline
from hilum.data.phantom.machine import Machine

BORDER_TONES = (0.0, 0.95, 0.5, 0.25, 0.75)
MARKER_PLACES = (("R", 0.06, 0.08), ("L", 0.94, 0.08), ("R", 0.06, 0.5), ("L", 0.94, 0.5), ("R", 0.06, 0.92))
"""A side marker's letter and its middle, shares of width and height."""

CURVE_STEPS = 4096
FOCAL_SPOT = 0.0035
"""Blur of every picture, body units."""


@dataclass(frozen=True)
class Planted:
    """What was done to a picture on purpose; the default is nothing.

    Args:
        marker: index into `MARKER_PLACES` of a marker that is put there whatever the machine does, or None.
        border: index into `BORDER_TONES` of a frame, likewise, or None.
        shift: how far exposure, sharpness and noise are moved away from the machine's own, in [0, 1].
    """

    marker: int | None = None
    border: int | None = None
    shift: float = 0.0


def lay_wires(frame: Frame, machine: Machine, generator: np.random.Generator) -> np.ndarray | None:
    """Leads and lines across the chest with their electrodes, `[H, W]` uint8 (255 = 0.5 attenuation), or None."""
    if generator.random() >= machine.wires:
        return None
    layer = frame.layer()
    for _ in range(int(generator.integers(1, 4))):
        end = np.array([generator.uniform(-0.3, 0.3), generator.uniform(0.2, 0.75)])
        start = np.array([generator.choice([-0.6, 0.6]), generator.uniform(-0.1, 1.0)])
        knots = start + np.linspace(0, 1, 5)[:, None] * (end - start)
        knots[1:-1] += generator.normal(0, 0.06, (3, 2))
        frame.stroke(layer, [spline(knots, 8)], 0.006, 120)
        if generator.random() < 0.7:
            frame.stroke(layer, [np.stack([end, end + 0.001])], 0.03, 140)
    return layer


def _curve(machine: Machine, shift: float, generator: np.random.Generator) -> tuple[np.ndarray, float, float]:
    """The contrast curve as a table over `[black, white]`."""
    jitter = 0.035 * generator.standard_normal(3)
    black = machine.black + jitter[0] - 0.10 * shift
    white = machine.white + 1.6 * jitter[1] + 0.18 * shift
    t = np.linspace(0, 1, CURVE_STEPS, dtype=np.float32)
    t = t ** (machine.gamma * np.exp(2 * jitter[2] - 0.5 * shift))
    t = (1 - machine.toe) * t + machine.toe * t * t * (3 - 2 * t)
    return (machine.fog + (1 - machine.fog) * t).astype(np.float32), black, white


def _noise(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Noise of mean 0 and deviation 1 from sums of two random bytes: near enough to normal, ten times faster."""
    pairs = generator.integers(0, 256, (2, *shape), dtype=np.uint8)
    noise = cv2.add(pairs[0], pairs[1], dtype=cv2.CV_32F)
    noise -= np.float32(255)
    noise *= np.float32(1 / 104.5)
    return noise


def expose(
    attenuation: np.ndarray, frame: Frame, machine: Machine, shift: float, generator: np.random.Generator
) -> np.ndarray:
    """The picture that a machine makes.

    Args:
        attenuation: `[H, W]` float32; used up.
        shift: as in `Planted`.

    Returns:
        `[H, W]` float32 in [0, 1].
    """
    curve, black, white = _curve(machine, shift, generator)
    picture = attenuation
    frame.blur(picture, float(np.hypot(FOCAL_SPOT, machine.blur + 0.004 * shift)))
    picture -= np.float32(black)
    picture *= np.float32((CURVE_STEPS - 1) / (white - black))
    np.clip(picture, 0, CURVE_STEPS - 1, out=picture)
    np.take(curve, picture.astype(np.uint16), out=picture, mode="clip")
    spare = np.empty_like(picture)
    if machine.sharpen:
        side = 2 * round(0.012 * frame.scale) + 1
        cv2.blur(picture, (side, side), dst=spare)
        cv2.addWeighted(picture, 1 + machine.sharpen, spare, -machine.sharpen, 0, dst=picture)
    sigma = machine.noise * float(np.exp(0.25 * generator.standard_normal())) * (1 + 0.5 * shift)
    np.abs(np.subtract(picture, np.float32(0.5), out=spare), out=spare)
    np.subtract(np.float32(1.3 * sigma), np.multiply(spare, np.float32(1.56 * sigma), out=spare), out=spare)
    picture += np.multiply(spare, _noise(picture.shape, generator), out=spare)
    return np.clip(picture, 0, 1, out=picture)


def _frame_around(picture: np.ndarray, tone: float, widths: np.ndarray) -> np.ndarray:
    """Lays a frame around a picture, in place; returns where the picture is still seen, bool.

    Args:
        widths: at the top, bottom, left and right, shares of the side.
    """
    height, width = picture.shape
    top, bottom, left, right = np.rint(widths * (height, height, width, width)).astype(int)
    inside = np.zeros(picture.shape, bool)
    inside[top : height - bottom, left : width - right] = True
    picture[~inside] = tone
    return inside


@lru_cache(maxsize=256)
def _lettering(text: str, scale: float, boxed: bool) -> tuple[np.ndarray, np.ndarray]:
    """A piece of text as brightness and opacity, each `[h, w]` float32 in [0, 1]."""
    thickness = max(1, round(1.2 * scale))
    (across, up), down = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    ink = np.zeros((up + down + 4, across + 4), np.uint8)
    cv2.putText(ink, text, (2, up + 2), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thickness, cv2.LINE_AA)
    share = ink.astype(np.float32) / 255
    return (0.85 - 0.8 * share, np.ones_like(share)) if boxed else (np.full_like(share, 0.95), share)


def _write(picture: np.ndarray, text: str, x: float, y: float, size: float, boxed: bool) -> None:
    """Prints text around a point (shares of width and height) onto `picture`, in place."""
    height, width = picture.shape
    brightness, opacity = _lettering(text, size * max(height, width) / 224, boxed)
    tall, wide = min(opacity.shape[0], height), min(opacity.shape[1], width)
    top = min(max(round(y * height - tall / 2), 0), height - tall)
    left = min(max(round(x * width - wide / 2), 0), width - wide)
    part = picture[top : top + tall, left : left + wide]
    part += opacity[:tall, :wide] * (brightness[:tall, :wide] - part)


def annotate(picture: np.ndarray, machine: Machine, planted: Planted, generator: np.random.Generator) -> np.ndarray:
    """Border, marker and text, drawn onto `picture` `[H, W]` in place; returns where the picture is seen, bool."""
    border, marker, text = generator.random(3) < (machine.border, machine.marker, machine.text)
    # Every number is drawn whether it is needed or not, so that planting one thing changes nothing else.
    tone, place, words = (generator.random(3) * (len(BORDER_TONES), len(MARKER_PLACES), len(machine.texts))).astype(int)
    widths, nudge = generator.uniform(0.01, 0.04, 4), generator.uniform(-0.015, 0.015)
    inside = np.ones(picture.shape, bool)
    if border or planted.border is not None:
        tone = tone if planted.border is None else planted.border
        inside = _frame_around(picture, BORDER_TONES[tone], widths)
    if marker or planted.marker is not None:
        letter, x, y = MARKER_PLACES[place if planted.marker is None else planted.marker]
        _write(picture, letter, x + nudge, y, 0.55, machine.boxed)
    if text and machine.texts:
        _write(picture, machine.texts[words], 0.24, 0.035, 0.3, False)
    return inside
