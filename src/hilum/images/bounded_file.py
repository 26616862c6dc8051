"""A file that refuses to hand out too much at once."""

from __future__ import annotations

from typing import BinaryIO

from hilum.images.codes import rejection


class BoundedFile:
    """Reading and seeking in a file, with a bound on what one call reads.

    `zipfile` reads the list of contents of an archive in one call, as long as the archive says it is, and believes one
    of several records about that. The bound holds whichever it believes.

    Args:
        file: open for reading, seekable; closed with this one.
        most: bytes of one read.
        name: the file, for messages.
    """

    def __init__(self, file: BinaryIO, most: int, name: str) -> None:
        self.file, self.most, self.name = file, most, name
        self.size = file.seek(0, 2)

    def read(self, count: int = -1) -> bytes:
        """Reads.

        Raises:
            ImageRejected: `archive-bomb` where more than `most` bytes are there and asked for.
        """
        there = self.size - self.file.tell()
        wanted = there if count is None or count < 0 else min(count, there)
        if wanted > self.most:
            raise rejection("archive-bomb", self.name, f"a list of contents of {wanted / 1e6:.0f} MB")
        return self.file.read(wanted)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self.file.close()
