"""Checks of PNG, WebP and TIFF files that come before, or are stricter than, what Pillow does."""

from __future__ import annotations

import struct
import zlib

from hilum.images.codes import rejection

_CRITICAL = 0x20
_LONGEST_LIST, _BYTE_TYPES = 300_000, (1, 2, 6, 7)
"""64 megapixels in tiles of 16 x 16 are 250,000; texts and bytes stay what they are."""


def png_size(data: bytes, name: str) -> tuple[int, int, int]:
    """Height, width and bit depth out of the first chunk.

    Raises:
        ImageRejected: `truncated` or `corrupt`.
    """
    if len(data) < 33:
        raise rejection("truncated", name, "a PNG that ends in its header")
    if data[12:16] != b"IHDR":
        raise rejection("corrupt", name, "a PNG without a header chunk")
    width, height, bits = struct.unpack_from(">IIB", data, 16)
    return height, width, bits


def check_png_chunks(data: bytes, name: str) -> None:
    """Walks all chunks to the end marker and recomputes the checksums of those that carry the picture.

    Raises:
        ImageRejected: `truncated` or `corrupt`; Pillow skips the checksums and does not miss the end marker.
    """
    position = 8
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        is_critical = not kind[0] & _CRITICAL
        if is_critical and zlib.crc32(data[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            raise rejection("corrupt", name, "a PNG chunk with a wrong checksum")
        if kind == b"IEND":
            return
        position = end
    raise rejection("truncated", name, "a PNG without its last chunk")


def webp_size(data: bytes, name: str) -> tuple[int, int]:
    """Height and width of the canvas; needed beforehand because the decoder allocates it on opening.

    Raises:
        ImageRejected: `truncated` or `corrupt`.
    """
    if len(data) < 30 or len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise rejection("truncated", name, "a WebP that ends early")
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[27:30], "little"), 1 + int.from_bytes(data[24:27], "little")
    if kind == b"VP8L":
        both = int.from_bytes(data[21:25], "little")
        return (both >> 14 & 0x3FFF) + 1, (both & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return height & 0x3FFF, width & 0x3FFF
    raise rejection("corrupt", name, "a WebP of an unknown kind")


def check_tiff_strips(tags: dict, size: int, name: str) -> None:
    """Compares where strips or tiles should lie with where the file ends.

    Args:
        tags: TIFF tag number -> value.
        size: bytes of the file.

    Raises:
        ImageRejected: `truncated`.
    """
    for offsets, counts in ((273, 279), (324, 325)):
        pairs = zip(tags.get(offsets) or (), tags.get(counts) or (), strict=False)
        if any(offset + count > size for offset, count in pairs):
            raise rejection("truncated", name, "a TIFF that ends before its picture")


def check_tiff_counts(data: bytes, name: str) -> None:
    """Refuses lists of numbers that no picture within the limits needs, before Pillow makes them objects in memory.

    Raises:
        ImageRejected: `corrupt`. What is no classic TIFF is left to Pillow.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    if start + 2 > len(data):
        return
    (entries,) = struct.unpack_from(f"{order}H", data, start)
    for at in range(start + 2, min(start + 2 + 12 * entries, len(data) - 11), 12):
        _tag, kind, count = struct.unpack_from(f"{order}HHI", data, at)
        if count > _LONGEST_LIST and kind not in _BYTE_TYPES:
            raise rejection("corrupt", name, f"a TIFF tag with {count} numbers")
