"""What the markers before a JPEG's first scan say; nothing is decoded."""

from __future__ import annotations

from typing import NamedTuple

from hilum.images.codes import rejection
from hilum.images.orientation import UPRIGHT, exif_orientation

_SCAN, _END, _QUANTISATION, _APP1, _APP14 = 0xDA, 0xD9, 0xDB, 0xE1, 0xEE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_STANDALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})


class JpegHeader(NamedTuple):
    """Facts of ITU-T T.81 markers.

    Args:
        height, width: pixels as stored, before orientation.
        bits: bits a sample.
        components: 1 grey, 3 colour, 4 CMYK.
        progressive: whether each scan refines the picture.
        quantisation: sum of the table of the first component; None where it is missing.
        orientation: EXIF orientation.
        inverted: whether CMYK samples are stored inverted, as Adobe does.
    """

    height: int
    width: int
    bits: int
    components: int
    progressive: bool
    quantisation: int | None
    orientation: int
    inverted: bool


def read_jpeg_header(data: bytes, name: str) -> JpegHeader:
    """Reads the markers up to the first scan.

    Raises:
        ImageRejected: `truncated` where the data end before it, `corrupt` where no frame came before it.
    """
    frame, tables, orientation, inverted = None, dict[int, int](), UPRIGHT, False
    position = 2
    while True:
        marker, start, position = _next_segment(data, position, name)
        if marker == _QUANTISATION:
            tables |= _table_sums(data[start:position])
        elif marker in _FRAMES and frame is None:
            frame = _frame(marker, data[start:position], name)
        elif marker == _APP1 and orientation == UPRIGHT and data[start : start + 6] == b"Exif\0\0":
            orientation = exif_orientation(data[start:position])
        elif marker == _APP14:
            inverted = data[start : start + 5] == b"Adobe"
        elif marker == _SCAN:
            break
    if frame is None:
        raise rejection("corrupt", name, "a JPEG without a frame")
    height, width, bits, components, progressive, table = frame
    return JpegHeader(height, width, bits, components, progressive, tables.get(table), orientation, inverted)


def _next_segment(data: bytes, position: int, name: str) -> tuple[int, int, int]:
    """The next marker, where its content starts, and where it ends."""
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 4 > len(data) or data[position + 1] == _END:
            raise rejection("truncated", name, "a JPEG that ends before its picture")
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in _STANDALONE:
            position += 2
        else:
            break
    end = position + 2 + (data[position + 2] << 8 | data[position + 3])
    if end > len(data):
        raise rejection("truncated", name, "a JPEG that ends before its picture")
    return marker, position + 4, max(end, position + 4)


def _table_sums(segment: bytes) -> dict[int, int]:
    """Table number -> sum of its 64 entries, for each quantisation table of a DQT segment."""
    sums, at = {}, 0
    while at < len(segment):
        width, number = 1 + (segment[at] >> 4), segment[at] & 15
        entries = segment[at + 1 : at + 1 + 64 * width]
        sums[number] = sum(entries) if width == 1 else 256 * sum(entries[::2]) + sum(entries[1::2])
        at += 1 + 64 * width
    return sums


def _frame(marker: int, segment: bytes, name: str) -> tuple[int, int, int, int, bool, int]:
    if len(segment) < 9:
        raise rejection("corrupt", name, "a broken JPEG frame")
    height, width = segment[1] << 8 | segment[2], segment[3] << 8 | segment[4]
    return height, width, segment[0], segment[5], marker in _PROGRESSIVE, segment[8]
