"""Original X-rays as small pictures inside the page."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilum.data.manifest import Manifest
from hilum.errors import HilumError
from hilum.images import read_image

SIDE = 208
"""Longer side of an embedded picture, pixels: sharp at the size that it is shown, some 6 kB each."""

QUALITY = 78


@dataclass(frozen=True)
class Thumbnail:
    """A small picture, or the sentence that stands in its place.

    Args:
        image_path: which image, as the manifest names it.
        uri: the picture as a data URI; None where it cannot be shown.
        width, height: of the small picture, pixels.
        sentence: why it cannot be shown, or what to know of it; empty when all is well.
    """

    image_path: str
    uri: str | None = None
    width: int = 0
    height: int = 0
    sentence: str = ""


def read_thumbnail(manifest: Manifest, image_path: str, sha256: str = "") -> Thumbnail:
    """The picture of one image at its true aspect ratio; never raises for a picture that is gone or broken.

    Args:
        sha256: digest of the file when the study was made; another one is said beside the picture.
    """
    return thumbnail_of(manifest.path(image_path), image_path, sha256)


def thumbnail_of(path: Path, image_path: str, sha256: str = "") -> Thumbnail:
    """As `read_thumbnail`, for a file that no manifest names."""
    try:
        if not path.is_file():
            return Thumbnail(image_path, sentence="This picture is no longer where the study found it.")
        image = read_image(path, shorter_side=SIDE)
        uri, width, height = encode_picture(image.pixels)
    except (HilumError, OSError, ValueError) as error:
        return Thumbnail(image_path, sentence=f"This picture can no longer be read: {error}")
    changed = bool(sha256) and bool(image.sha256) and image.sha256 != sha256
    return Thumbnail(image_path, uri, width, height, "The file has changed since the study." if changed else "")


def encode_picture(pixels: np.ndarray) -> tuple[str, int, int]:
    """Grey pixels `[H, W]`, uint8 or uint16, as a small picture: data URI, width, height in pixels."""
    from PIL import Image

    grey = (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels
    picture = Image.fromarray(grey)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}", picture.width, picture.height


def draw_sample(names: Iterable[str], count: int, seed: int) -> list[str]:
    """`count` of some names: the same for the same seed, whatever their order and whatever else is added."""
    return sorted(set(names), key=lambda name: _rank(name, seed))[:count]


def _rank(name: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\0{name}".encode(errors="backslashreplace"), digest_size=8).digest()
