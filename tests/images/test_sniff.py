import numpy as np
import pytest

from hilum.images.sniff import sniff


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF"])
def test_pictures_by_their_first_bytes(chest, saved, kind):
    assert sniff(saved(chest, kind)) == kind
    assert sniff(saved(chest, kind)[:132]) == kind


def test_dicom_with_and_without_preamble(dicom_of):
    pixels = np.zeros((40, 40), np.uint8)
    assert sniff(dicom_of(pixels)) == "DICOM"
    assert sniff(dicom_of(pixels, preamble=False)) == "DICOM"


def test_dicom_with_a_tiff_header_in_its_preamble_is_dicom(dicom_of):
    data = dicom_of(np.zeros((40, 40), np.uint8))
    assert sniff(b"II*\0" + data[4:]) == "DICOM"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7 ...", "PDF"),
        (b"PK\x03\x04 ...", "ZIP"),
        (b"\0\0\0\x18ftypheic\0\0", "HEIF"),
        (b"\0\0\0\x18ftypavif\0\0", "AVIF"),
        (b"<!DOCTYPE html>", "text"),
        ("Röntgen".encode(), "text"),
        (b"\0\1\2\3", "unknown data"),
        (b"", "unknown data"),
        (b"\x08\0", "unknown data"),
    ],
)
def test_other_content(data, kind):
    assert sniff(data) == kind
