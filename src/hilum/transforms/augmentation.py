"""Random changes to training images: one resampling, one look-up table, then blur, noise, storing and erasing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from hilum.errors import RecipeError
from hilum.transforms.threads import in_threads

_IDENTITY = np.eye(2, 3).tolist()


@dataclass(frozen=True)
class Augmentation:
    """How far each change may go; 0 switches it off.

    Args:
        rotation: degrees; uniform in [-rotation, rotation].
        shift: share of the side; uniform in [-shift, shift], each direction.
        zoom: the scale is uniform in [1 - zoom, 1 + zoom].
        shear: degrees; uniform in [-shear, shear].
        flip: probability of a left-right flip.
        brightness: share of the full range; uniform offset in [-brightness, brightness].
        contrast: the factor is uniform in [1 - contrast, 1 + contrast], about mid grey.
        gamma: the exponent is exp of a uniform draw in [-gamma, gamma].
        blur: largest standard deviation of a Gaussian blur, pixels.
        noise: largest standard deviation of Gaussian noise, share of the full range.
        equalise: probability of histogram equalisation.
        erase: probability of one grey rectangle, 2 to 20 % of the area.
        collimate: probability of a border such as a collimator leaves: 0 to 15 % of each side in one grey, drawn too.
        crop: largest share cut from each side, each drawn by itself; what is left fills the square again.
        sharpen: largest amount of unsharp masking (the picture less its blur of 1 pixel, added to it so many times).
        shade: share of the full range; a linear ramp of light across the picture, in any direction, of up to so much
            at either end.
        jpeg: probability of being stored as JPEG, of a quality from 15 to 95, drawn too.

    Raises:
        RecipeError: a negative number, or a probability above 1.
    """

    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    equalise: float = 0.0
    erase: float = 0.0
    collimate: float = 0.0
    crop: float = 0.0
    sharpen: float = 0.0
    shade: float = 0.0
    jpeg: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, most = getattr(self, field.name), _MOST.get(field.name, 1.0)
            if not 0 <= value <= most:
                raise RecipeError(f"augmentation.{field.name}", expected=f"0 to {most:g}", found=f"{value:g}")

    @property
    def is_off(self) -> bool:
        return not any(getattr(self, field.name) for field in fields(self))


_MOST = {"zoom": 0.9, "crop": 0.45} | dict.fromkeys(("rotation", "shear", "gamma", "blur", "sharpen"), 360.0)
"""The largest number of what is no share or probability, or is one that has to leave something of the picture."""


def augment(canvases: np.ndarray, augmentation: Augmentation, seeds: Sequence[Sequence[int]]) -> np.ndarray:
    """Changes each image of a batch by draws of its own.

    Args:
        canvases: uint8 `[B, S, S]`; not altered.
        seeds: for each image the integers that its draws depend on, say (seed, epoch, image number): the same ones
            give the same picture in any batch, loader or worker.

    Returns:
        uint8 `[B, S, S]`.
    """
    if augmentation.is_off:
        return canvases
    changed = np.empty_like(canvases)

    def work(positions: range) -> None:
        for position in positions:
            changed[position] = _augment_one(canvases[position], augmentation, draw_numbers(seeds[position]))

    in_threads(work, len(seeds))
    return changed


@dataclass(frozen=True)
class Draws:
    """The random numbers of one image; all are drawn, used or not, so that switching one change off leaves the others.

    Args:
        draws: nine in [-1, 1].
        chances: eight in [0, 1].
        edges: six in [0, 1].
        generator: where noise is drawn from afterwards.
        seed: what all of them depend on.
    """

    draws: np.ndarray
    chances: np.ndarray
    edges: np.ndarray
    generator: np.random.Generator
    seed: tuple[int, ...]

    @cached_property
    def more(self) -> np.ndarray:
        """Nine in [0, 1], of a stream of their own: what was drawn before there were these changes stays as it was."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([*self.seed, _MORE]))).uniform(0, 1, 9)

    def geometry(self, augmentation: Augmentation) -> dict[str, Any]:
        """The arguments of `affine_matrix`."""
        return {
            "rotation": augmentation.rotation * self.draws[0],
            "shift": (augmentation.shift * self.draws[1], augmentation.shift * self.draws[2]),
            "scale": 1 + augmentation.zoom * self.draws[3],
            "shear": augmentation.shear * self.draws[4],
            "flip": bool(self.chances[0] < augmentation.flip),
            "crop": tuple(augmentation.crop * self.more[:4]) if augmentation.crop else (0.0, 0.0, 0.0, 0.0),
        }

    def erased(self, side: int) -> tuple[int, int, int]:
        """Row, column and side of the square that is erased, pixels."""
        share, top, left = self.chances[5:8]
        length = int(side * np.sqrt(0.02 + 0.18 * share))
        return int((side - length) * top), int((side - length) * left), length

    def covered(self, side: int) -> tuple[int, int, int, int, int]:
        """Top, left, bottom and right of the border, pixels, and its grey: black half of the time, else some grey."""
        top, left, bottom, right = (0.15 * side * self.edges[1:5]).astype(int).tolist()
        return top, left, bottom, right, max(0, int(510 * self.edges[5] - 255))

    def ramp(self) -> tuple[float, float]:
        """How much light there is at the right and at the lower edge, in [-1, 1]; its opposite at the other edges."""
        angle, strength = 2 * math.pi * self.more[4], self.more[5]
        return strength * math.cos(angle), strength * math.sin(angle)


_MORE = 0x6A706567
"""Sets the second stream of draws apart from the first."""


def draw_numbers(seed: Sequence[int]) -> Draws:
    """What the changes to one image depend on."""
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(seed))))
    drawn = generator.uniform(-1, 1, 9), generator.uniform(0, 1, 8), generator.uniform(0, 1, 6)
    return Draws(*drawn, generator, tuple(seed))


def _augment_one(canvas: np.ndarray, augmentation: Augmentation, draw: Draws) -> np.ndarray:
    canvas = _warp(canvas, augmentation, draw)
    canvas = _tone(canvas, augmentation, draw)
    canvas = _shade(canvas, augmentation.shade, draw) if augmentation.shade else canvas
    canvas = _blur(canvas, augmentation.blur * draw.chances[2])
    canvas = _sharpen(canvas, augmentation.sharpen * draw.more[6]) if augmentation.sharpen else canvas
    canvas = _add_noise(canvas, augmentation.noise * draw.chances[3], draw.generator)
    canvas = store_as_jpeg(canvas, draw) if augmentation.jpeg and draw.more[7] < augmentation.jpeg else canvas
    canvas = _erase(canvas, draw) if draw.chances[4] < augmentation.erase else canvas
    return _collimate(canvas, draw) if draw.edges[0] < augmentation.collimate else canvas


def _warp(canvas: np.ndarray, augmentation: Augmentation, draw: Draws) -> np.ndarray:
    import cv2

    matrix = affine_matrix(len(canvas), **draw.geometry(augmentation))
    if matrix.tolist() == _IDENTITY:
        return canvas
    return cv2.warpAffine(canvas, matrix, canvas.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def affine_matrix(
    side: int,
    *,
    rotation: float,
    shift: tuple[float, float],
    scale: float,
    shear: float,
    flip: bool,
    crop: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
) -> np.ndarray:
    """Flip, shear, zoom, rotation and shift about the image's centre, then a crop, as one map of source to target.

    Args:
        side: pixels.
        rotation: degrees, counter-clockwise as seen.
        shift: right and down, shares of the side.
        scale: above 1 enlarges.
        shear: degrees, along the horizontal.
        crop: shares cut from top, left, bottom and right; what is left fills the side again.

    Returns:
        float64 `[2, 3]`.
    """
    # Multiplied out, turn x shear x flip: small matrices cost numpy a tenth of the whole augmentation.
    slant, side_to_side = math.tan(math.radians(shear)), -1.0 if flip else 1.0
    cosine, sine = (scale * f(math.radians(rotation)) for f in (math.cos, math.sin))
    a, b = cosine * side_to_side, cosine * slant + sine
    c, d = -sine * side_to_side, cosine - sine * slant
    centre = (side - 1) / 2
    right, down = (
        centre - (one + other) * centre + share * side
        for (one, other), share in zip(((a, b), (c, d)), shift, strict=True)
    )
    if not any(crop):
        return np.array([[a, b, right], [c, d, down]])
    # Pixels are squares: their centres lie half a pixel further in than the edges that a crop counts from.
    off_top, off_left, off_bottom, off_right = crop
    wider, taller = 1 / (1 - off_left - off_right), 1 / (1 - off_top - off_bottom)
    right, down = wider * (right + 0.5 - off_left * side) - 0.5, taller * (down + 0.5 - off_top * side) - 0.5
    return np.array([[wider * a, wider * b, right], [taller * c, taller * d, down]])


def _tone(canvas: np.ndarray, augmentation: Augmentation, draw: Draws) -> np.ndarray:
    import cv2

    if draw.chances[1] < augmentation.equalise:
        canvas = cv2.equalizeHist(canvas)
    if not (augmentation.gamma or augmentation.contrast or augmentation.brightness):
        return canvas
    return cv2.LUT(canvas, tone_table(augmentation, draw.draws[5:8]))


def tone_table(augmentation: Augmentation, draws: np.ndarray) -> np.ndarray:
    """Gamma, then contrast and brightness, as a look-up table, uint8 `[256]`."""
    grey = np.linspace(0, 1, 256) ** np.exp(augmentation.gamma * draws[0])
    grey = (grey - 0.5) * (1 + augmentation.contrast * draws[1]) + 0.5 + augmentation.brightness * draws[2]
    return np.clip(np.rint(grey * 255), 0, 255).astype(np.uint8)


def _shade(canvas: np.ndarray, share: float, draw: Draws) -> np.ndarray:
    """Light that falls off across the film, as from a tube that stands askew or a chest that lies turned."""
    right, down = draw.ramp()
    place = np.linspace(-255 * share, 255 * share, len(canvas), dtype=np.float32)
    lit = canvas + np.float32(down) * place[:, None] + np.float32(right) * place
    return np.clip(np.rint(lit), 0, 255).astype(np.uint8)


def _sharpen(canvas: np.ndarray, amount: float) -> np.ndarray:
    import cv2

    return cv2.addWeighted(canvas, 1 + amount, cv2.GaussianBlur(canvas, (7, 7), 1.0), -amount, 0)


def store_as_jpeg(canvas: np.ndarray, draw: Draws) -> np.ndarray:
    """The picture as it comes back from a JPEG of a drawn quality, uint8 `[S, S]`."""
    import cv2

    quality = int(15 + 80 * draw.more[8])
    written = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(written, cv2.IMREAD_GRAYSCALE))


def _blur(canvas: np.ndarray, sigma: float) -> np.ndarray:
    import cv2

    return cv2.GaussianBlur(canvas, (0, 0), sigma) if sigma > 0.1 else canvas


def _add_noise(canvas: np.ndarray, sigma: float, generator: np.random.Generator) -> np.ndarray:
    if not sigma:
        return canvas
    noise = generator.standard_normal(canvas.shape, dtype=np.float32)
    return np.clip(canvas + noise * np.float32(255 * sigma) + 0.5, 0, 255).astype(np.uint8)


def _erase(canvas: np.ndarray, draw: Draws) -> np.ndarray:
    row, column, side = draw.erased(len(canvas))
    erased = canvas.copy()
    erased[row : row + side, column : column + side] = 128
    return erased


def _collimate(canvas: np.ndarray, draw: Draws) -> np.ndarray:
    """Covers the four sides: films differ in it, and classes must not."""
    side = len(canvas)
    top, left, bottom, right, grey = draw.covered(side)
    covered = np.full_like(canvas, grey)
    covered[top : side - bottom, left : side - right] = canvas[top : side - bottom, left : side - right]
    return covered
