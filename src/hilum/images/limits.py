"""How much a single file may ask for."""

from __future__ import annotations

from dataclasses import dataclass

from hilum.images.codes import rejection

_INTERPRETER = 100_000_000
"""What Python and the decoders hold before the first pixel."""


@dataclass(frozen=True)
class Limits:
    """Bounds that are checked before anything large is allocated.

    Args:
        file_bytes: largest file.
        pixels: largest picture, height x width, as its header states it.
        inflated_bytes: largest content of a compressed file, once inflated: samples, or a deflated DICOM data set.
        smallest_side: shortest side of a picture in pixels.
        jpeg_scans: most scans in a progressive JPEG, each of which costs a pass over the whole picture.
        seconds: longest decoding; kept where the decoder runs in a sandbox.
        memory_bytes: most memory of the process that decodes; kept in a sandbox, on Linux. Kinds that are known to need
            more are refused by their header everywhere.
    """

    file_bytes: int = 64_000_000
    pixels: int = 64_000_000
    inflated_bytes: int = 256_000_000
    smallest_side: int = 32
    jpeg_scans: int = 100
    seconds: float = 10.0
    memory_bytes: int = 1_000_000_000

    def check_bytes(self, count: int, name: str) -> None:
        """Raises ImageRejected `empty` or `too-large`."""
        if count == 0:
            raise rejection("empty", name, "0 bytes")
        if count > self.file_bytes:
            raise rejection("too-large", name, f"{count / 1e6:.0f} MB, limit {self.file_bytes / 1e6:.0f} MB")

    def check_size(self, height: int, width: int, name: str) -> None:
        """Raises ImageRejected `corrupt`, `too-many-pixels` or `too-small` for the size that a header states."""
        if height <= 0 or width <= 0:
            raise rejection("corrupt", name, f"a size of {width} x {height} pixels")
        if height * width > self.pixels:
            limit = f"limit {self.pixels / 1e6:.0f} megapixels"
            raise rejection("too-many-pixels", name, f"{width} x {height} pixels, {limit}")
        if min(height, width) < self.smallest_side:
            raise rejection("too-small", name, f"{width} x {height} pixels")

    def check_memory(self, count: int, name: str) -> None:
        """Raises ImageRejected `memory` for a picture whose decoding is known to hold more bytes than allowed."""
        if count + _INTERPRETER > self.memory_bytes:
            found = f"{count / 1e6:.0f} MB to decode it, limit {(self.memory_bytes - _INTERPRETER) / 1e6:.0f} MB"
            raise rejection("memory", name, found)
