"""The devices that take the pictures: what each does to an X-ray besides taking it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """One X-ray device with the habits of the people who use it.

    Args:
        name: what the truth table and the DICOM header call it.
        view: `PA` (standing, at the wall) or `AP` (lying, at the bedside).
        aspect: width of a picture over its height.
        zoom: how large a body appears, 1 = a body unit fills the longer side.
        black: attenuation that is shown black.
        white: attenuation that is shown white.
        gamma: exponent of the contrast curve.
        toe: share in [0, 1] of an S-shaped curve.
        fog: brightness in [0, 1] of what should be black.
        noise: standard deviation of the noise in mid-grey, share of the full range.
        blur: Gaussian blur of the detector, body units.
        sharpen: strength of the edge enhancement.
        border: how often a frame is left around the picture.
        marker: how often a side marker is put on the picture.
        boxed: whether the marker is a dark letter in a light box.
        texts: what is printed on some pictures, at the top.
        text: how often.
        wires: how often a lead or line lies across the chest.
        jpeg_quality: of the files that it writes, 1 to 100.
        inverted: whether its DICOM files are MONOCHROME1.
    """

    name: str
    view: str
    aspect: float
    zoom: float
    black: float
    white: float
    gamma: float
    toe: float
    fog: float
    noise: float
    blur: float
    sharpen: float
    border: float
    marker: float
    boxed: bool
    texts: tuple[str, ...]
    text: float
    wires: float
    jpeg_quality: int
    inverted: bool = False


MACHINES = (
    Machine("Aster", "PA", 1.0, 1.17, 0.03, 1.22, 0.95, 0.4, 0.0, 0.012, 0.0, 0.25, 0.1, 0.9, False, (), 0.0, 0.02, 92),
    Machine(
        "Borage", "AP", 1.0, 1.10, 0.02, 1.30, 0.80, 0.1, 0.04, 0.030, 0.0025, 0.0, 0.2, 0.7, False,
        ("PORTABLE", "AP SUPINE", "BED 4"), 0.6, 0.5, 80,
    ),
    Machine(
        "Clover", "PA", 0.9, 1.12, 0.03, 1.25, 1.00, 0.3, 0.02, 0.020, 0.0030, 0.3, 0.6, 0.8, True, ("ERECT",), 0.3,
        0.05, 70,
    ),
    Machine(
        "Dahlia", "PA", 1.12, 1.22, 0.04, 1.15, 1.00, 0.2, 0.07, 0.026, 0.0030, 0.0, 0.5, 0.8, False, ("PA", "1M"), 0.4,
        0.08, 60,
    ),
    Machine(
        "Erica", "AP", 1.0, 1.15, 0.03, 1.18, 0.90, 0.5, 0.0, 0.016, 0.0012, 0.5, 0.15, 0.8, True, ("AP", "SITTING"),
        0.4, 0.25, 86, True,
    ),
)  # fmt: skip
"""The devices of a drawn hospital; none of them has anything to do with the class."""
