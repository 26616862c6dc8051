"""Finding the pictures under a folder, by name and without decoding them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hilum.errors import DataError
from hilum.images.sniff import PICTURES, sniff

_PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp", ".dib", ".gif"}
    | {".dcm", ".dicom", ".dic", ".ima"}
    | {".jp2", ".j2k", ".jxl", ".heic", ".heif", ".avif"}
)
"""Formats that are not read are listed too: such a file then shows up as rejected instead of vanishing."""
_NOT_PICTURES = frozenset(
    {"dicomdir", "readme", "license", "licence", "copying", "authors", "changelog", "version", "makefile"}
)
_SKIPPED_FOLDERS = frozenset({"__macosx", "__pycache__"})


def looks_like_image(path: Path) -> bool:
    """Whether a name may be that of a picture: a known suffix, no suffix, or digits for one (DICOM UIDs).

    Hidden files and names such as `DICOMDIR` and `README` are none.
    """
    return _sounds_like_image(path.name)


def _sounds_like_image(name: str) -> bool:
    stem, dot, suffix = name.lower().rpartition(".")
    if name.startswith("."):
        return False
    if not dot:
        return suffix not in _NOT_PICTURES
    return f".{suffix}" in _PICTURE_SUFFIXES or (suffix.isdigit() and bool(stem))


def find_images(root: Path) -> list[Path]:
    """Lists the pictures under a folder, or the one file that is given.

    Goes into all folders but hidden ones and `__MACOSX`, follows links, and enters no folder twice. A file without a
    picture's suffix counts if its first bytes are those of a picture.

    Args:
        root: a folder or a file.

    Returns:
        Paths that start with `root`, sorted.

    Raises:
        DataError: the root is not there, or a folder cannot be opened.
    """
    root = Path(root)
    if root.is_file():
        return [root] if _counts(root) else []
    if not root.is_dir():
        raise DataError(str(root), expected="a folder of pictures", found="nothing there")
    found = (entry.path for entry in _files(root) if _counts(entry))
    return [Path(path) for path in sorted(found, key=lambda path: path.replace(os.sep, "/"))]


def _counts(file: Path | os.DirEntry[str]) -> bool:
    if not _sounds_like_image(file.name):
        return False
    _, dot, suffix = file.name.lower().rpartition(".")
    return dot + suffix in _PICTURE_SUFFIXES or _holds_picture(Path(file))


def _holds_picture(path: Path) -> bool:
    """Whether a regular file begins as a picture does; what cannot be opened counts, so that it will be reported."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return sniff(file.read(512)) in PICTURES
    except OSError:
        return True


def _files(root: Path) -> Iterator[os.DirEntry[str]]:
    """All files below; folders proper come before links to folders, so that a loop is entered by its real name."""
    folders, links, entered = [root], list[Path](), set[tuple[int, int]]()
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)
        status = folder.stat()
        if (status.st_dev, status.st_ino) in entered:
            continue
        entered.add((status.st_dev, status.st_ino))
        for entry in _entries(folder):
            if not _is_folder(entry):
                yield entry
            elif not entry.name.startswith(".") and entry.name.lower() not in _SKIPPED_FOLDERS:
                (links if entry.is_symlink() else folders).append(Path(entry.path))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        found = error.strerror or "an error"
        raise DataError(str(folder), expected="a folder that can be opened", found=found) from None
