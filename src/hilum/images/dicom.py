"""DICOM through pydicom and permissive codecs."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom import Dataset, FileDataset
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut, get_decoder
from pydicom.pixels.decoders.base import Decoder
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGExtended12Bit,
    RLELossless,
)

from hilum.images.boundary import NeedsSandbox, silence_libraries
from hilum.images.codes import rejection
from hilum.images.codestream import stated_pixels
from hilum.images.colour import check_colour, to_grey
from hilum.images.dicom_file import check_fragments, read_header
from hilum.images.dicom_tags import facts_of, number_of, text_of
from hilum.images.image import Acquisition, Image
from hilum.images.request import Request
from hilum.images.voi import display_values

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_GREY = ("MONOCHROME1", "MONOCHROME2")
_MODES = (*_GREY, "PALETTE COLOR", "RGB", *(f"YBR_{kind}" for kind in ("FULL", "FULL_422", "ICT", "RCT")))
_RLE_RATIO = 64
"""Most bytes that a byte of run lengths becomes."""
_COST, _PALETTE_COST, _WIDE_COST = 11, 15, 70
"""Bytes that are held at most for each pixel; `wide` are float and 32-bit data, whose percentiles are the dearest part.
Measured."""
_SAFEST_FIRST = ("pydicom", "pillow", "pyjpegls", "pylibjpeg")
"""gdcm, which pydicom would try first, comes last: of 1,000 damaged JPEG, JPEG 2000 or JPEG-LS streams 11, 9 and 1 made
it abort the whole process (these: none of 3,000 each), and it fills up with grey what a truncated JPEG lacks. It alone
knows lossless JPEG (1 of 3,000) and 12-bit JPEG, so files of those kinds are decoded in a sandbox, trusted or not.
"""


def decode_dicom(data: bytes, request: Request) -> Image:
    """One DICOM file, with or without a preamble -> one grey image.

    Raises:
        ImageRejected: see `codes.REJECTIONS`; whatever pydicom and its codecs raise for broken data.
    """
    silence_libraries()
    dataset = read_header(data, request)
    warnings = _completed(dataset, request)
    height, width = _whole(dataset, "Rows"), _whole(dataset, "Columns")
    request.check_size(height, width)
    _check_memory(dataset, height * width, request)
    frame = _frame_number(dataset, request)
    stored = _decoded(dataset, frame, request)
    pixels, more = _grey(stored, dataset, request)
    return Image(pixels, _acquisition(dataset, pixels, len(data)), (*warnings, *more))


def _completed(dataset: FileDataset, request: Request) -> list[str]:
    """Fills in what files without a preamble, or old ones, leave out; returns warnings.

    Raises:
        ImageRejected: `no-pixels`.
    """
    if not any(keyword in dataset for keyword in _PIXELS):
        raise rejection("no-pixels", request.name, "no pixel data")
    if "TransferSyntaxUID" not in dataset.file_meta:
        is_implicit, _is_little = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian
    if text_of(dataset, "PhotometricInterpretation") is None and _whole(dataset, "SamplesPerPixel", 1) == 1:
        dataset.PhotometricInterpretation = "MONOCHROME2"
        return ["photometric-guessed"]
    return []


def _whole(dataset: Dataset, keyword: str, default: int = 0) -> int:
    """The element as a whole number; absent, broken and not finite become the default."""
    value = number_of(dataset, keyword)
    return int(value) if value is not None and np.isfinite(value) else default


def _check_memory(dataset: Dataset, pixels: int, request: Request) -> None:
    """Refuses what is known to need more memory than allowed; values that no table can hold are the dearest."""
    is_wide = "PixelData" not in dataset or _whole(dataset, "BitsAllocated") > 16
    is_palette = text_of(dataset, "PhotometricInterpretation") == "PALETTE COLOR"
    cost = _WIDE_COST if is_wide else _PALETTE_COST if is_palette else _COST
    request.limits.check_memory(pixels * cost, request.name)


def _frame_number(dataset: Dataset, request: Request) -> int:
    count = max(1, _whole(dataset, "NumberOfFrames", 1))
    if request.frame is None and count > 1:
        raise rejection("multi-frame", request.name, f"{count} frames")
    if not 0 <= (request.frame or 0) < count:
        raise rejection("no-such-frame", request.name, f"frame {request.frame} of {count}")
    return request.frame or 0


def _decoded(dataset: FileDataset, frame: int, request: Request) -> np.ndarray:
    """The stored values of one frame: `[H, W]`, or `[H, W, 3]` as RGB where they are colour."""
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise rejection("unsupported", request.name, f"transfer syntax {_known(syntax)}") from None
    if not decoder.is_available:
        raise rejection("missing-codec", request.name, _known(syntax))
    _check_length(dataset, syntax, request)
    if syntax.is_encapsulated:
        check_fragments(dataset, request.name)
        _check_stream(dataset, syntax, frame, request)
    array = _by_a_codec(decoder, dataset, frame, request.expendable)
    if array.size == 0:
        raise rejection("corrupt", request.name, "an empty frame")
    return array


def _check_stream(dataset: FileDataset, syntax: UID, frame: int, request: Request) -> None:
    """Refuses a frame that is larger than the header says.

    Raises:
        ImageRejected: `corrupt`.
        NeedsSandbox: run lengths of which only decoding shows how much they become, and it could be too much.
    """
    if syntax == RLELossless:
        if len(dataset.PixelData) * _RLE_RATIO > request.limits.inflated_bytes and not request.expendable:
            raise NeedsSandbox
        return
    stream = get_frame(dataset.PixelData, frame, number_of_frames=max(1, _whole(dataset, "NumberOfFrames", 1)))
    stated = stated_pixels(stream)
    if stated > _whole(dataset, "Rows") * _whole(dataset, "Columns"):
        raise rejection("corrupt", request.name, f"compressed data of {stated} pixels, more than the header states")


def _by_a_codec(decoder: Decoder, dataset: FileDataset, frame: int, expendable: bool) -> np.ndarray:
    """Decodes with the safest codec that knows the kind; uncompressed data need none.

    Raises:
        NeedsSandbox: only gdcm knows it, and the process is not expendable.
    """
    if JPEGExtended12Bit == decoder.UID and _whole(dataset, "BitsStored") > 8:
        return _twelve_bits(dataset, frame, expendable)
    for plugin in filter(decoder.available_plugins.__contains__, _SAFEST_FIRST):
        return decoder.as_array(dataset, index=frame, decoding_plugin=plugin)[0]
    if "gdcm" in decoder.available_plugins and not expendable:
        raise NeedsSandbox
    return decoder.as_array(dataset, index=frame)[0]


def _twelve_bits(dataset: FileDataset, frame: int, expendable: bool) -> np.ndarray:
    """12-bit JPEG, which pydicom hands to no codec."""
    if not expendable:
        raise NeedsSandbox
    from hilum.images.twelve_bits import decode_twelve_bits

    height, width = _whole(dataset, "Rows"), _whole(dataset, "Columns")
    count = max(1, _whole(dataset, "NumberOfFrames", 1))
    stream = get_frame(dataset.PixelData, frame, number_of_frames=count)
    return decode_twelve_bits(stream, height, width, _whole(dataset, "SamplesPerPixel", 1))


def _known(syntax: UID) -> str:
    """The name of a transfer syntax, or its number; never free text."""
    return syntax.name if syntax.is_transfer_syntax else "that is unknown"


def _check_length(dataset: Dataset, syntax: UID, request: Request) -> None:
    """Refuses uncompressed pixel data that are shorter than the header asks for."""
    if syntax.is_encapsulated or "PixelData" not in dataset:
        return
    factors = [_whole(dataset, keyword) for keyword in ("Rows", "Columns", "BitsAllocated")]
    samples, frames = _whole(dataset, "SamplesPerPixel", 1), max(1, _whole(dataset, "NumberOfFrames", 1))
    bits = int(np.prod([*factors, samples, frames], dtype=object))
    if text_of(dataset, "PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    if 8 * len(dataset.PixelData) < bits:
        raise rejection("truncated", request.name, f"{len(dataset.PixelData)} of {-(-bits // 8)} bytes of pixels")


def _grey(stored: np.ndarray, dataset: Dataset, request: Request) -> tuple[np.ndarray, list[str]]:
    photometric = text_of(dataset, "PhotometricInterpretation")
    if photometric == "PALETTE COLOR":
        stored = apply_color_lut(stored, dataset)
    if stored.ndim == 2 and photometric in _GREY:
        return display_values(stored, dataset)
    if stored.ndim != 3 or stored.shape[2] != 3:
        raise rejection("unsupported", request.name, f"pixels of shape {stored.shape}")
    rgb = stored if stored.dtype in (np.uint8, np.uint16) else stored.astype(np.uint16)
    return to_grey(rgb), check_colour(rgb, request.name)


def _acquisition(dataset: FileDataset, pixels: np.ndarray, file_bytes: int) -> Acquisition:
    facts: dict[str, Any] = facts_of(dataset)
    return Acquisition(
        format="DICOM",
        height=pixels.shape[0],
        width=pixels.shape[1],
        mode=_photometric(dataset),
        bits=_whole(dataset, "BitsStored") or _whole(dataset, "BitsAllocated"),
        file_bytes=file_bytes,
        **facts,
    )


def _photometric(dataset: Dataset) -> str:
    """The colour mode; only a term of the standard, because a hostile header may put anything there."""
    text = text_of(dataset, "PhotometricInterpretation") or ""
    return text if text in _MODES else ""
