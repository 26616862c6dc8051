"""The pictures in a zip archive, one after the other and in memory; nothing is ever written to disk.

Python's `zipfile` reads the structure; what it believes without asking is checked here: names, links, sizes, ratios,
overlaps, and how long the list of contents is.
"""

from __future__ import annotations

import posixpath
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from hilum.errors import ImageRejected
from hilum.images.boundary import typed_errors
from hilum.images.bounded_file import BoundedFile
from hilum.images.codes import rejection
from hilum.images.discover import looks_like_image
from hilum.images.limits import Limits
from hilum.images.sniff import PICTURES, sniff
from hilum.images.source import name_of, open_regular

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others (bzip2, LZMA) are never used for pictures, and LZMA may ask for gigabytes of dictionary."""
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_ENCRYPTED = 0x1
_UNIX, _LOCAL_HEADER = 3, 30
_BLOCK = 1 << 20


@dataclass(frozen=True)
class ArchiveLimits:
    """How much an archive may ask for, beside what each of its files may.

    Args:
        members: most entries, folders included.
        directory_bytes: largest list of contents, which is held in memory.
        ratio: most bytes that one byte may inflate to, in entries of more than 1 MB.
        total_bytes: most bytes of all entries together, once inflated.
    """

    members: int = 100_000
    directory_bytes: int = 16_000_000
    ratio: float = 100.0
    total_bytes: int = 64_000_000_000


_LIMITS, _ARCHIVE_LIMITS = Limits(), ArchiveLimits()


@dataclass(frozen=True)
class Member:
    """One picture of an archive, or why it cannot be had.

    Args:
        name: as the archive spells it, control characters spelled out.
        data: its bytes; empty where it was rejected.
        rejected: the reason.
    """

    name: str
    data: bytes = b""
    rejected: ImageRejected | None = None


def is_archive(source: Path | bytes) -> bool:
    """Whether a file, or bytes, begin as a zip archive does; what cannot be opened does not."""
    if isinstance(source, bytes):
        return source[:4] in (b"PK\x03\x04", b"PK\x05\x06")
    try:
        with open_regular(source) as file:
            return is_archive(file.read(4))
    except (OSError, ValueError, ImageRejected):
        return False


def read_archive(
    source: Path | bytes,
    *,
    limits: Limits = _LIMITS,
    archive_limits: ArchiveLimits = _ARCHIVE_LIMITS,
    name: str = "",
) -> Iterator[Member]:
    """The pictures of a zip archive, in its order, each inflated when it is asked for.

    Folders, hidden files, `__MACOSX` and files whose name and content are no picture's are passed over, as
    `find_images` does. One bad entry does not stop the others.

    Args:
        source: an archive on disk, of any size, or its bytes.
        limits: for each of the files inside.
        archive_limits: for the archive.
        name: what messages call it; by default its path.

    Raises:
        ImageRejected: the archive as a whole cannot be used: `unreadable`, `corrupt`, `archive-bomb`.
    """
    name = name_of(source, name)
    with _opened(source, name) as file:
        with typed_errors(name):
            archive = zipfile.ZipFile(BoundedFile(file, archive_limits.directory_bytes, name))
        with archive:
            yield from _Walk(archive, name, limits, archive_limits).members()


def _opened(source: Path | bytes, name: str) -> BinaryIO:
    if isinstance(source, bytes):
        return BytesIO(source)
    try:
        return open_regular(source)
    except ImageRejected:
        raise
    except (OSError, ValueError) as error:
        raise rejection("unreadable", name, getattr(error, "strerror", None) or "an impossible path") from None


class _Walk:
    """One pass over the entries of an archive."""

    def __init__(self, archive: zipfile.ZipFile, name: str, limits: Limits, bounds: ArchiveLimits) -> None:
        self.archive, self.name, self.limits, self.bounds = archive, name, limits, bounds
        self.entries = archive.infolist()
        self.names, self.inflated = set[str](), 0
        self.overlapping = _overlapping(self.entries)
        if len(self.entries) > bounds.members:
            raise rejection("archive-bomb", name, f"{len(self.entries)} entries, limit {bounds.members}")

    def members(self) -> Iterator[Member]:
        for entry in self.entries:
            inside = name_of(b"", entry.filename or "an entry without a name")
            try:
                with typed_errors(f"{self.name}: {inside}"):
                    data = self._content(entry, f"{self.name}: {inside}")
            except ImageRejected as error:
                yield Member(inside, rejected=error)
            else:
                if data is not None:
                    yield Member(inside, data)

    def _content(self, entry: zipfile.ZipInfo, name: str) -> bytes | None:
        """The bytes of an entry, None for one that is no picture and does no harm."""
        _check_name(entry, name)
        path = Path(posixpath.normpath(entry.filename.replace("\\", "/")))
        if entry.is_dir() or _is_hidden(path):
            return None
        is_nested = path.name.lower().endswith(_ARCHIVES)
        if not (is_nested or looks_like_image(path)):
            return None
        self._check_entry(entry, path, name)
        if is_nested:
            raise rejection("archive-nested", name, "an archive inside the archive")
        data = self._inflated(entry, name)
        if path.suffix and not path.suffix[1:].isdigit():
            return data
        return data if sniff(data) in PICTURES else None

    def _check_entry(self, entry: zipfile.ZipInfo, path: Path, name: str) -> None:
        """What can be said against an entry before a byte of it is inflated."""
        folded = path.as_posix().casefold()
        if folded in self.names:
            raise rejection("archive-duplicate", name, "a name that an earlier entry has")
        self.names.add(folded)
        if entry.flag_bits & _ENCRYPTED:
            raise rejection("archive-encrypted", name, "an encrypted entry")
        if entry.compress_type not in _METHODS:
            raise rejection("unsupported", name, f"zip compression method {entry.compress_type}")
        if entry.header_offset in self.overlapping:
            raise rejection("archive-bomb", name, "an entry that shares its bytes with another")
        self._check_size(entry.file_size, entry.compress_size, name)

    def _check_size(self, inflated: int, compressed: int, name: str) -> None:
        if inflated > _BLOCK and inflated > self.bounds.ratio * max(compressed, 1):
            raise rejection("archive-bomb", name, f"{inflated / 1e6:.0f} MB from {compressed} bytes")
        self.limits.check_bytes(inflated, name)
        if self.inflated + inflated > self.bounds.total_bytes:
            raise rejection("archive-bomb", name, f"more than {self.bounds.total_bytes / 1e9:.0f} GB in all")

    def _inflated(self, entry: zipfile.ZipInfo, name: str) -> bytes:
        """The content; never more than the entry declares, whatever comes out of the decompressor."""
        with self.archive.open(entry) as stream:
            parts = list(iter(lambda: stream.read(_BLOCK), b""))
        data = b"".join(parts)
        self.inflated += len(data)
        if len(data) < entry.file_size:
            raise rejection("truncated", name, f"{len(data)} of {entry.file_size} bytes")
        if zlib.crc32(data) != entry.CRC:
            raise rejection("corrupt", name, "a wrong checksum")
        return data


def _check_name(entry: zipfile.ZipInfo, name: str) -> None:
    """Refuses links, and names that lead out of the archive; such an archive was made to do harm."""
    path = entry.filename.replace("\\", "/")
    if path.startswith("/") or path[1:2] == ":" or ".." in path.split("/") or "\0" in entry.orig_filename:
        raise rejection("archive-unsafe-name", name, "a name that leads out of the archive")
    mode = entry.external_attr >> 16
    if (
        entry.create_system == _UNIX
        and mode
        and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or not stat.S_IFMT(mode))
    ):
        raise rejection("archive-link", name, "a link or a device")


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part.lower() == "__macosx" for part in path.parts)


def _overlapping(entries: list[zipfile.ZipInfo]) -> set[int]:
    """Offsets of entries whose bytes begin before those of an earlier one end: one kernel, inflated many times."""
    found, end = set[int](), 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            found.add(entry.header_offset)
        name_bytes = len(entry.orig_filename.encode("utf-8" if entry.flag_bits & 0x800 else "cp437", "replace"))
        end = max(end, entry.header_offset + _LOCAL_HEADER + name_bytes + entry.compress_size)
    return found
