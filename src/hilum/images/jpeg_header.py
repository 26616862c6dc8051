"""What the markers before a JPEG's first scan say; nothing is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hilum.images.codes import rejection
from hilum.images.orientation import UPRIGHT, exif_orientation

_SCAN, _END, _QUANTISATION, _APP1, _APP14 = 0xDA, 0xD9, 0xDB, 0xE1, 0xEE
_CARRIED = {
    (0xE0, b"JFIF"): "jfif",
    (_APP1, b"Exif"): "exif",
    (_APP1, b"http"): "xmp",
    (0xE2, b"ICC_"): "icc",
    (0xED, b"Phot"): "photoshop",
    (_APP14, b"Adob"): "adobe",
}
"""Marker and first four bytes of its content -> what it is."""
_COMMENT = 0xFE
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
        multiscan: whether it takes more than one scan to bring all components.
        quantisation: sum of the table of the first component; None where it is missing.
        quantisation_colour: likewise of the second component; None for a grey picture.
        subsampling: of the colour, such as `4:2:0`; None for a grey picture.
        metadata: see `Acquisition.metadata`.
        orientation: EXIF orientation.
        inverted: whether CMYK samples are stored inverted, as Adobe does.
    """

    height: int
    width: int
    bits: int
    components: int
    progressive: bool
    multiscan: bool
    quantisation: int | None
    quantisation_colour: int | None
    subsampling: str | None
    metadata: tuple[str, ...]
    orientation: int
    inverted: bool


def read_jpeg_header(data: bytes, name: str) -> JpegHeader:
    """Reads the markers up to the first scan.

    Raises:
        ImageRejected: `truncated` where the data end before it, `corrupt` where no frame came before it.
    """
    frame, tables, orientation, inverted = None, dict[int, int](), UPRIGHT, False
    carried = set[str]()
    for marker, start, end in _segments(data):
        if marker == _COMMENT or (marker, data[start : start + 4]) in _CARRIED:
            carried.add(_CARRIED.get((marker, data[start : start + 4]), "comment"))
        if marker == _QUANTISATION:
            tables |= _table_sums(data[start:end])
        elif marker in _FRAMES and frame is None:
            frame = _frame(marker, data[start:end], name)
        elif marker == _APP1 and orientation == UPRIGHT and data[start : start + 6] == b"Exif\0\0":
            orientation = exif_orientation(data[start:end])
        elif marker == _APP14:
            inverted = data[start : start + 5] == b"Adobe"
        elif marker == _SCAN:
            break
    else:
        raise rejection("truncated", name, "a JPEG that ends before its picture")
    if frame is None:
        raise rejection("corrupt", name, "a JPEG without a frame")
    multiscan = frame.progressive or start >= end or data[start] < frame.components
    return JpegHeader(
        frame.height,
        frame.width,
        frame.bits,
        frame.components,
        frame.progressive,
        multiscan,
        tables.get(frame.tables[0]),
        tables.get(frame.tables[1]) if frame.components == 3 else None,
        frame.subsampling,
        tuple(sorted(carried)),
        orientation,
        inverted,
    )


def has_all_scans(data: bytes) -> bool:
    """Whether the scans of a progressive JPEG bring every luminance coefficient to full precision (T.81, G.1.1).

    A file cut off between two scans decodes without complaint, to a blurred picture.
    """
    precise, luminance = set[int](), None
    for marker, start, end in _segments(data):
        scan = data[start:end]
        if marker != _SCAN or len(scan) < 4 or len(scan) < 4 + 2 * scan[0]:
            continue
        components = scan[1 : 1 + 2 * scan[0] : 2]
        luminance = components[0] if luminance is None else luminance
        first, last, bits = scan[1 + 2 * scan[0] : 4 + 2 * scan[0]]
        if luminance in components and not bits & 15:
            precise.update(range(first, last + 1))
    return precise >= set(range(64))


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each marker with where its content starts and ends, up to the end marker or where the data break off."""
    position, size = 2, len(data)
    while (position := data.find(b"\xff", position)) >= 0 and position + 4 <= size:
        marker = data[position + 1]
        if marker == _END:
            return
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in _STANDALONE:
            position += 2
        else:
            start, end = position + 4, position + 2 + (data[position + 2] << 8 | data[position + 3])
            if end > size:
                return
            yield marker, start, end
            position = max(start, end)


def _table_sums(segment: bytes) -> dict[int, int]:
    """Table number -> sum of its 64 entries, for each quantisation table of a DQT segment."""
    sums, at = {}, 0
    while at < len(segment):
        width, number = 1 + (segment[at] >> 4), segment[at] & 15
        entries = segment[at + 1 : at + 1 + 64 * width]
        sums[number] = sum(entries) if width == 1 else 256 * sum(entries[::2]) + sum(entries[1::2])
        at += 1 + 64 * width
    return sums


class _Frame(NamedTuple):
    """A frame header (T.81, B.2.2); `tables` are those of the first two components."""

    height: int
    width: int
    bits: int
    components: int
    progressive: bool
    tables: tuple[int, int]
    subsampling: str | None


def _frame(marker: int, segment: bytes, name: str) -> _Frame:
    if len(segment) < 9:
        raise rejection("corrupt", name, "a broken JPEG frame")
    height, width = segment[1] << 8 | segment[2], segment[3] << 8 | segment[4]
    second = segment[11] if len(segment) > 11 else segment[8]
    return _Frame(
        height, width, segment[0], segment[5], marker in _PROGRESSIVE, (segment[8], second), _subsampling(segment)
    )


def _subsampling(segment: bytes) -> str | None:
    """Of the second component against the first, in the usual notation; None for anything but three components."""
    if segment[5] != 3 or len(segment) < 15 or not segment[10]:
        return None
    across, down = (segment[7] >> 4) / max(segment[10] >> 4, 1), (segment[7] & 15) / max(segment[10] & 15, 1)
    usual: dict[tuple[float, float], str] = {
        (1, 1): "4:4:4",
        (2, 1): "4:2:2",
        (2, 2): "4:2:0",
        (4, 1): "4:1:1",
        (1, 2): "4:4:0",
    }
    return usual.get((across, down), f"{across:g}x{down:g}")
