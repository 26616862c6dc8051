"""Preprocessing: one frozen value that belongs to the model and is applied by the same code everywhere."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hilum.errors import DataError, RecipeError
from hilum.images import Image

FITS = ("pad", "stretch", "crop")
NORMALISATIONS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5,) * 3, (0.5,) * 3),
    "minus-one-one": ((0.5,) * 3, (0.5,) * 3),
    "zero-one": ((0.0,) * 3, (1.0,) * 3),
}
"""Name -> mean and standard deviation of the three channels, for pixels in [0, 1].

`half` and `minus-one-one` are two names of the field for the same numbers.
"""


@dataclass(frozen=True)
class Preprocessing:
    """From a decoded X-ray to what a network sees.

    Args:
        image_size: side of the square, pixels, 16 to 2048.
        fit: `pad` keeps the aspect ratio with black borders, `stretch` does not keep it, `crop` keeps the centre.
        equalise: histogram equalisation of the picture after the resize; borders that `pad` adds stay out of it.
        normalisation: a name from `NORMALISATIONS`.
        channels: 3 repeats the grey image, 1 does not.

    Raises:
        RecipeError: a name or number that is not one of these.
    """

    image_size: int = 224
    fit: str = "pad"
    equalise: bool = False
    normalisation: str = "imagenet"
    channels: int = 3

    def __post_init__(self) -> None:
        _one_of("fit", self.fit, FITS)
        _one_of("normalisation", self.normalisation, tuple(NORMALISATIONS))
        _one_of("channels", self.channels, (1, 3))
        if not 16 <= self.image_size <= 2048:
            raise RecipeError("image_size", expected="16 to 2048 pixels", found=str(self.image_size))

    @property
    def canvas(self) -> dict[str, Any]:
        """The part of it that a cache of canvases depends on."""
        return {"image_size": self.image_size, "fit": self.fit, "equalise": self.equalise}

    def to_json(self) -> dict[str, Any]:
        """Names and numbers for a model file's header."""
        return asdict(self)


def _one_of(name: str, value: object, allowed: tuple) -> None:
    if value not in allowed:
        raise RecipeError(f"preprocessing.{name}", expected=f"one of {', '.join(map(str, allowed))}", found=str(value))


def to_canvas(image: Image | np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """A decoded X-ray as the square that is cached and augmented.

    Args:
        image: an Image, or its pixels `[H, W]` uint8 or uint16.

    Returns:
        uint8 `[S, S]`, reduced with anti-aliasing.
    """
    pixels = to_uint8(image.pixels if isinstance(image, Image) else image)
    side = preprocessing.image_size
    if preprocessing.fit == "crop":
        pixels = _centre_square(pixels)
    if preprocessing.fit != "pad":
        return _equalised(_resize(pixels, side, side), preprocessing)
    # The stored size, not that of a picture which was reduced while it was decoded: rounding would move the border.
    height, width = (image.acquisition.height, image.acquisition.width) if isinstance(image, Image) else pixels.shape
    scale = side / max(height, width)
    height, width = max(1, round(height * scale)), max(1, round(width * scale))
    canvas = np.zeros((side, side), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = _equalised(_resize(pixels, height, width), preprocessing)
    return canvas


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """`[H, W]` uint8, or uint16 over its whole range, -> uint8; rounds, never clips.

    Raises:
        DataError: another type or shape: nobody could know which range is meant.
    """
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16) or not pixels.size:
        found = f"{pixels.dtype} {list(pixels.shape)}"
        raise DataError("picture", expected="grey pixels [H, W] of type uint8 or uint16", found=found)
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def shorter_side_needed(preprocessing: Preprocessing) -> int:
    """What a decoder is asked for: it may reduce a picture as long as its shorter side stays at least this, pixels.

    Depends on the preprocessing alone, so that cache, evaluation and a single prediction decode the same pixels.
    """
    return preprocessing.image_size


def _centre_square(pixels: np.ndarray) -> np.ndarray:
    side = min(pixels.shape)
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    return pixels[top : top + side, left : left + side]


def _resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    import cv2

    if pixels.shape == (height, width):
        return pixels
    smaller = height < pixels.shape[0] and width < pixels.shape[1]
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _equalised(pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    import cv2

    return cv2.equalizeHist(np.ascontiguousarray(pixels)) if preprocessing.equalise else pixels
