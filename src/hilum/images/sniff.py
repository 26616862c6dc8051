"""What a file is, by its first bytes; names are not believed."""

from __future__ import annotations

import struct

READABLE = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "DICOM")

_BEGINNINGS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1f\x8b", "gzip"),
    (b"\x5c\x01\0\0", "NIfTI"),
)
PICTURES = frozenset({*READABLE, "JPEG 2000", "JPEG XL", "HEIF", "AVIF"})
"""What `sniff` knows to be a picture, readable here or not."""

_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OW PN SH SL SQ SS ST TM UI UL UN US UT".split())


def sniff(data: bytes) -> str:
    """Names the content.

    Args:
        data: the file, or at least its first 132 bytes.

    Returns:
        One of `READABLE`, the name of another known kind (`PDF`, `HEIF`, ...), `text`, or `unknown data`.
    """
    # A DICOM file may carry a TIFF header in its preamble, so it is looked for first.
    if data[128:132] == b"DICM":
        return "DICOM"
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return "AVIF" if data[8:12] in (b"avif", b"avis") else "HEIF"
    if _is_bare_dicom(data):
        return "DICOM"
    return "text" if _is_text(data[:512]) else "unknown data"


def _is_bare_dicom(data: bytes) -> bool:
    """Whether the data start with a little-endian element of group 2 or 8, as DICOM without a preamble does."""
    if len(data) < 16 or data[:2] not in (b"\x02\0", b"\x08\0"):
        return False
    element, length = struct.unpack_from("<HI", data, 2)
    return data[4:6] in _VRS or (element <= 0x100 and length <= 1024)


def _is_text(head: bytes) -> bool:
    return bool(head) and not any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)
