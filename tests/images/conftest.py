"""Pictures and files that the tests of this room draw for themselves."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from hilum.errors import ImageRejected
from hilum.images import read_image

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def chest() -> np.ndarray:
    """A smooth grey picture `[96, 128]`, uint8, different in every corner."""
    down, across = np.mgrid[0:96, 0:128]
    lungs = np.exp(-(((across - 40) / 18) ** 2) - ((down - 45) / 30) ** 2)
    lungs += np.exp(-(((across - 88) / 18) ** 2) - ((down - 45) / 30) ** 2)
    return (60 + across * 0.7 + down * 0.6 - 50 * lungs).round().clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def ramp() -> np.ndarray:
    """All 65,536 values of 16 bits in order, `[256, 256]`."""
    return np.arange(65536, dtype=np.uint16).reshape(256, 256)


def _saved(picture: np.ndarray | PillowImage.Image, kind: str, **options: Any) -> bytes:
    image = PillowImage.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def saved() -> Callable[..., bytes]:
    """`saved(picture, "PNG", **options)`: the bytes that Pillow writes."""
    return _saved


@pytest.fixture(scope="session")
def code_of() -> Callable[..., str]:
    """`code_of(source, **options)`: the code with which the source is rejected, or `ok`."""

    def code(source: Any, **options: Any) -> str:
        try:
            read_image(source, **options)
        except ImageRejected as error:
            assert "\n" not in str(error)
            return error.code
        return "ok"

    return code


@pytest.fixture(scope="session")
def png_of() -> Callable[..., bytes]:
    """`png_of(samples, bits, colour_type)`: a PNG written by hand, for kinds that Pillow does not write."""
    return _png


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(samples: np.ndarray, bits: int, colour_type: int, size: tuple[int, int] | None = None) -> bytes:
    height, width = size or samples.shape[:2]
    rows = samples.astype(">u2" if bits == 16 else np.uint8).reshape(len(samples), -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", zlib.compress(raw)) + _chunk(b"IEND", b"")


@pytest.fixture(scope="session")
def tiff_of() -> Callable[..., bytes]:
    """`tiff_of(samples, photometric=, orientation=)`: an uncompressed 16-bit TIFF written by hand."""
    return _tiff


def _tiff(samples: np.ndarray, *, photometric: int, orientation: int = 1) -> bytes:
    height, width = samples.shape[:2]
    channels = samples.shape[2] if samples.ndim == 3 else 1
    content = samples.astype("<u2").tobytes()
    depths = 8 + len(content)
    directory = depths + 2 * channels
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, channels, 16 if channels == 1 else depths),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 8),
        (274, 3, 1, orientation),
        (277, 3, 1, channels),
        (278, 4, 1, height),
        (279, 4, 1, len(content)),
    ]
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\0" + struct.pack("<I", directory)
    return head + content + struct.pack("<H", 16) * channels + struct.pack("<H", len(entries)) + table + bytes(4)


@pytest.fixture(scope="session")
def dicom_of() -> Callable[..., bytes]:
    """`dicom_of(pixels, **elements)`: an explicit little-endian DICOM file; `preamble=False` leaves that out."""
    return _dicom


def dicom_dataset(pixels: np.ndarray | None, **elements: Any) -> Any:
    """A data set with the elements that every picture needs; keyword arguments replace or, with None, remove them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of the wrong values that the tests want
        return _dataset(pixels, elements)


def _dataset(pixels: np.ndarray | None, elements: dict[str, Any]) -> Any:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["hilum"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    if pixels is not None:
        bits = 8 * pixels.dtype.itemsize
        dataset.SamplesPerPixel = 3 if pixels.ndim == 3 and pixels.shape[-1] == 3 else 1
        dataset.PhotometricInterpretation = "RGB" if dataset.SamplesPerPixel == 3 else "MONOCHROME2"
        dataset.Rows, dataset.Columns = pixels.shape[:2] if dataset.SamplesPerPixel == 3 else pixels.shape[-2:]
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
        dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
        if dataset.SamplesPerPixel == 3:
            dataset.PlanarConfiguration = 0
        elif pixels.ndim == 3:
            dataset.NumberOfFrames = len(pixels)
        dataset.PixelData = pixels.tobytes()
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    if "BitsStored" in elements:
        dataset.HighBit = dataset.BitsStored - 1
    return dataset


def _dicom(pixels: np.ndarray | None, *, preamble: bool = True, **elements: Any) -> bytes:
    import pydicom

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(buffer, dicom_dataset(pixels, **elements), enforce_file_format=True)
    data = buffer.getvalue()
    return data if preamble else data[_group_8(data) :]


def _group_8(data: bytes) -> int:
    """Where the data set begins behind preamble and file meta information."""
    return 144 + int.from_bytes(data[140:144], "little")


@pytest.fixture(scope="session")
def dataset_of() -> Callable[..., Any]:
    """`dataset_of(pixels, **elements)`: the pydicom data set itself."""
    return dicom_dataset


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real X-rays, where there is one."""
    if not SHARED.is_dir():
        pytest.skip("no real X-rays beside the repository")
    return SHARED
