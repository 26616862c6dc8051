"""Seeded mutants: every one is read or rejected with a code, quickly and without a word on the terminal.

`HILUM_MUTANTS=50000 pytest tests/images/test_fuzz.py` tries as many of each kind.
"""

import io
import os
import time

import numpy as np
import pytest
from pydicom import Dataset, dcmwrite
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from hilum.errors import ImageRejected
from hilum.images import REJECTIONS, WARNINGS, Limits, read_image

MUTANTS = int(os.environ.get("HILUM_MUTANTS", "60"))
LIMITS = Limits(pixels=4_000_000)
NASTY = (
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\xff\xd9",
    b"\xff\xda",
    b"IEND",
    b"\xfe\xff",
)


def _mutant(data: bytes, rng: np.random.Generator) -> bytes:
    hurt = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        # Half of the blows fall on the header, where they do more than spoil a pixel.
        end = min(len(hurt), 700) if rng.random() < 0.5 else len(hurt)
        at = int(rng.integers(0, max(end, 1)))
        match rng.integers(0, 6):
            case 0:
                hurt[at : at + 1] = bytes([rng.integers(0, 256)])
            case 1:
                hurt[at : at + 1] = bytes([hurt[at] ^ (1 << int(rng.integers(0, 8)))]) if at < len(hurt) else b""
            case 2:
                blow = NASTY[rng.integers(0, len(NASTY))]
                hurt[at : at + len(blow)] = blow
            case 3:
                del hurt[at : at + int(rng.integers(1, 60))]
            case 4:
                hurt[at:at] = rng.bytes(int(rng.integers(1, 60)))
            case 5:
                other = int(rng.integers(0, len(hurt) + 1))
                hurt[at : at + 30] = hurt[other : other + 30]
    return bytes(hurt[: int(rng.integers(0, len(hurt) + 1))] if rng.random() < 0.15 else hurt)


def _packed(dataset: Dataset, syntax: UID, stream: bytes = b"") -> bytes:
    """The data set in a transfer syntax; a compressed stream may be given ready-made."""
    if stream or syntax == DeflatedExplicitVRLittleEndian:
        dataset.file_meta.TransferSyntaxUID = syntax
    elif get_encoder(syntax).is_available:
        dataset.compress(syntax)
    if stream:
        dataset.PixelData = encapsulate([stream])
        dataset["PixelData"].is_undefined_length = True
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def seeds(chest, ramp, saved, dicom_of, dataset_of, png_of, tiff_of) -> dict[str, list[bytes]]:
    rgb = np.repeat(chest[..., None], 3, axis=2)
    wide = (chest.astype(np.uint16) << 4)[:48, :64]
    window = {"BitsStored": 12, "WindowCenter": 2000, "WindowWidth": 3000}
    syntaxes = (RLELossless, JPEGLSLossless, DeflatedExplicitVRLittleEndian)
    packed = [_packed(dataset_of(wide, **window), syntax) for syntax in syntaxes]
    packed.append(_packed(dataset_of(chest), JPEG2000Lossless, saved(chest, "JPEG2000", no_jp2=True)))
    packed.append(_packed(dataset_of(chest), JPEGBaseline8Bit, saved(chest, "JPEG")))
    return {
        "JPEG": [saved(chest, "JPEG"), saved(rgb, "JPEG"), saved(rgb, "JPEG", progressive=True)],
        "PNG": [saved(chest, "PNG"), saved(ramp[:64], "PNG"), png_of(np.repeat(ramp[:64, :, None], 3, 2), 16, 2)],
        "TIFF": [saved(chest, "TIFF"), saved(chest, "TIFF", compression="tiff_lzw"), tiff_of(ramp, photometric=0)],
        "WEBP, BMP, GIF": [saved(chest, "WEBP"), saved(chest, "BMP"), saved(chest, "GIF")],
        "DICOM": [dicom_of(wide, PatientAge="034Y"), dicom_of(chest, preamble=False), dicom_of(rgb)],
        "compressed DICOM": packed,
    }


LOUD = ("TIFF", "compressed DICOM")
"""Their libraries write to file descriptor 2 from C; only a process of their own could be kept quiet."""


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP, BMP, GIF", "DICOM", *LOUD])
def test_mutants_end_as_read_or_rejected(seeds, kind, capfd):
    rng = np.random.default_rng(20)
    outcomes, slowest = set(), 0.0
    for number in range(MUTANTS):
        data = _mutant(seeds[kind][number % len(seeds[kind])], rng)
        start = time.perf_counter()
        try:
            image = read_image(data, limits=LIMITS, shorter_side=32)
        except ImageRejected as error:
            assert error.code in REJECTIONS
            assert "\n" not in str(error)
            outcomes.add(error.code)
        else:
            assert image.pixels.ndim == 2
            assert image.pixels.dtype in (np.uint8, np.uint16)
            assert set(image.warnings) <= set(WARNINGS)
            outcomes.add("ok")
        slowest = max(slowest, time.perf_counter() - start)
    assert len(outcomes) >= 3
    assert slowest < 5
    assert kind in LOUD or capfd.readouterr() == ("", "")
