"""PNG, TIFF, WebP, BMP and GIF, through Pillow; 16-bit colour through OpenCV because Pillow keeps 8 bits of it."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, ImageFile, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from hilum.images.boundary import silence_libraries
from hilum.images.codes import rejection
from hilum.images.colour import check_colour, to_grey
from hilum.images.image import Acquisition, Image
from hilum.images.orientation import UPRIGHT, exif_orientation, upright
from hilum.images.raster_header import check_png_chunks, check_tiff_counts, check_tiff_strips, png_size, webp_size
from hilum.images.request import Request
from hilum.images.tones import WHITE, filled, stretched

# The plugins are called directly: Image.open would try every format that Pillow has, and warn of sizes by itself.
_OPENERS: dict[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
}
_BITS_PER_SAMPLE, _PHOTOMETRIC, _ORIENTATION = 258, 262, 274
_MODE_BITS = {"1": 1, "I": 32, "F": 32}
_COST = {"1": 6, "L": 4, "I;16": 9, "P": 14, "RGB": 15}
_COST_OF_OTHERS = 40
_ALPHA_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_CARRIED = {"exif": "exif", "icc_profile": "icc", "dpi": "dpi", "comment": "comment", "xmp": "xmp"}
"""Key of Pillow's `info` -> what `Acquisition.metadata` calls it."""


def decode_raster(kind: str, data: bytes, request: Request) -> Image:
    """One file of a kind in `_OPENERS` -> one grey image.

    Raises:
        ImageRejected: see `codes.REJECTIONS`; whatever Pillow raises for broken data.
    """
    silence_libraries()
    _check_before_opening(kind, data, request)
    picture = _OPENERS[kind](BytesIO(data))
    request.check_size(picture.height, picture.width)
    _go_to_frame(picture, request)
    request.check_size(picture.height, picture.width)
    request.limits.check_memory(picture.height * picture.width * _cost(picture), request.name)
    return _Raster(kind, data, picture, request).image()


def _cost(picture: ImageFile.ImageFile) -> int:
    """Bytes that are held for each pixel at most while the picture is decoded and turned grey; measured."""
    if "transparency" in picture.info:
        return _COST_OF_OTHERS
    return _COST.get(picture.mode[:4], _COST_OF_OTHERS)


def _check_before_opening(kind: str, data: bytes, request: Request) -> None:
    if kind == "PNG":
        height, width, _bits = png_size(data, request.name)
        request.check_size(height, width)
        check_png_chunks(data, request.name)
    elif kind == "TIFF":
        check_tiff_counts(data, request.name)
    elif kind == "WEBP":
        height, width = webp_size(data, request.name)
        request.check_size(height, width)
        request.limits.check_memory(height * width * _COST_OF_OTHERS, request.name)  # opening allocates it


def _go_to_frame(picture: ImageFile.ImageFile, request: Request) -> None:
    """Moves to the frame that was asked for; without one, makes sure that there is no second."""
    try:
        picture.seek(1 if request.frame is None else request.frame)
    except EOFError:
        if request.frame is not None:
            raise rejection("no-such-frame", request.name, f"no frame {request.frame}") from None
        return
    if request.frame is None:
        raise rejection("multi-frame", request.name, "more than one frame")


class _Raster:
    """One opened picture on its way to grey."""

    def __init__(self, kind: str, data: bytes, picture: ImageFile.ImageFile, request: Request) -> None:
        self.kind, self.data, self.picture, self.request = kind, data, picture, request
        self.tags = dict(picture.tag_v2) if isinstance(picture, TiffImagePlugin.TiffImageFile) else {}
        self.mode = picture.mode
        self.bits = self._bits()
        self.warnings: list[str] = []

    def image(self) -> Image:
        """Decodes; whoever calls has checked size and frame."""
        if self.tags:
            check_tiff_strips(self.tags, len(self.data), self.request.name)
        self.picture.load()
        orientation = self._orientation()
        pixels = self._grey()
        # Pillow and OpenCV turn TIFF pictures, and only those, upright as they load them.
        pixels = np.require(upright(pixels, UPRIGHT if self.tags else orientation), requirements="W")
        return Image(pixels, self._acquisition(pixels, orientation), tuple(self.warnings))

    def _bits(self) -> int:
        if self.kind == "PNG":
            return png_size(self.data, self.request.name)[2]
        if self.tags:
            return int(self.tags.get(_BITS_PER_SAMPLE, (1,))[0])
        return _MODE_BITS.get(self.mode, 8)

    def _orientation(self) -> int:
        if self.tags:
            value = self.tags.get(_ORIENTATION, UPRIGHT)
            return value if value in range(1, 9) else UPRIGHT
        exif = self.picture.info.get("exif")
        return exif_orientation(exif) if isinstance(exif, bytes) else UPRIGHT

    def _metadata(self) -> tuple[str, ...]:
        carried = {name for key, name in _CARRIED.items() if key in self.picture.info}
        return tuple(sorted(carried | ({"text"} if getattr(self.picture, "text", None) else set())))

    def _is_deep(self) -> bool:
        return self.bits == 16 and self.mode in ("RGB", "LA", "RGBA")

    def _grey(self) -> np.ndarray:
        if self.mode.startswith("I;16"):
            return self._sixteen_bits(np.asarray(self.picture).astype(np.uint16))
        if self.mode in ("I", "F"):
            self.warnings.append("range-guessed")
            return self._from_white(stretched(np.asarray(self.picture)))
        if self.mode == "1":
            self.warnings.append("one-bit")
            return np.asarray(self.picture.convert("L"))
        if self.mode == "L" and "transparency" not in self.picture.info:
            return np.asarray(self.picture)
        return self._from_colour(self._deep_samples() if self._is_deep() else self._samples())

    def _sixteen_bits(self, pixels: np.ndarray) -> np.ndarray:
        if self.bits < 16:  # 12-bit TIFF
            pixels = (pixels.astype(np.uint32) * WHITE // (2**self.bits - 1)).clip(0, WHITE).astype(np.uint16)
        else:
            pixels, warnings = filled(pixels)
            self.warnings += warnings
        return self._from_white(pixels)

    def _from_white(self, pixels: np.ndarray) -> np.ndarray:
        """Inverts a deep TIFF in which 0 is white; Pillow does so for 8 bits only."""
        return WHITE - pixels if self.tags.get(_PHOTOMETRIC) == 0 else pixels

    def _samples(self) -> np.ndarray:
        has_alpha = self.mode in _ALPHA_MODES or "transparency" in self.picture.info
        return np.asarray(self.picture.convert("RGBA" if has_alpha else "RGB"))

    def _deep_samples(self) -> np.ndarray:
        """`[H, W, 3 or 4]`, uint16 where OpenCV can read the file so."""
        bgr = None if self.request.frame else cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_UNCHANGED)
        if bgr is None or bgr.dtype != np.uint16 or bgr.ndim != 3:
            self.warnings.append("depth-reduced")
            return self._samples()
        return cv2.cvtColor(bgr, cv2.COLOR_BGRA2RGBA if bgr.shape[2] == 4 else cv2.COLOR_BGR2RGB)

    def _from_colour(self, samples: np.ndarray) -> np.ndarray:
        if samples.shape[2] == 4:
            samples = self._on_black(samples)
        self.warnings += check_colour(samples, self.request.name)
        return to_grey(samples)

    def _on_black(self, rgba: np.ndarray) -> np.ndarray:
        alpha, opaque = rgba[..., 3:], np.iinfo(rgba.dtype).max
        if (alpha == opaque).all():
            return rgba[..., :3]
        self.warnings.append("alpha-flattened")
        return (rgba[..., :3].astype(np.uint32) * alpha // opaque).astype(rgba.dtype)

    def _acquisition(self, pixels: np.ndarray, orientation: int) -> Acquisition:
        return Acquisition(
            format=self.kind,
            height=pixels.shape[0],
            width=pixels.shape[1],
            mode=self.mode,
            bits=self.bits,
            file_bytes=len(self.data),
            metadata=self._metadata(),
            orientation=orientation,
        )
