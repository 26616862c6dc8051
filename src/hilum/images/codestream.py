"""What compressed pixel data inside DICOM say of their own size, which their decoder believes."""

from __future__ import annotations

import struct

_FRAMES = (*(marker for marker in range(0xC0, 0xD0) if marker not in (0xC4, 0xC8, 0xCC)), 0xF7)
"""Markers that begin a frame: those of JPEG (T.81), and the one of JPEG-LS (T.87)."""
_JPEG_2000 = b"\xff\x4f\xff\x51"


def stated_pixels(stream: bytes) -> int:
    """Height times width in the header of a JPEG, JPEG-LS or JPEG 2000 stream; 0 where there is none."""
    if stream[:2] == b"\xff\xd8":
        return _of_jpeg(stream)
    start = stream.find(_JPEG_2000, 0, 4096)  # behind the boxes of a JP2 file, which some put into DICOM
    if start < 0 or start + 24 > len(stream):
        return 0
    right, bottom, left, top = struct.unpack_from(">4I", stream, start + 8)
    return max(0, right - left) * max(0, bottom - top)


def _of_jpeg(stream: bytes) -> int:
    """The largest of the frames up to the first scan."""
    position, most = 2, 0
    while position + 9 <= len(stream) and stream[position] == 0xFF:
        marker = stream[position + 1]
        if marker == 0xDA:
            break
        if marker == 0xFF:
            position += 1
            continue
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", stream, position + 5)
            most = max(most, height * width)
        position += 2 + struct.unpack_from(">H", stream, position + 2)[0]
    return most
