"""From what a user names to one source an image: files, folders, archives, in a fixed order and each once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hilum.errors import DataError, ImageRejected
from hilum.images import find_images
from hilum.images.archive import is_archive, read_archive

INSIDE = "!"
"""Between an archive and the name inside it."""


@dataclass(frozen=True)
class Source:
    """One image that is to be predicted.

    Args:
        name: as the user named it: a path, or `ARCHIVE!NAME`.
        content: a path, or bytes out of an archive.
        rejected: why it cannot even be opened.
    """

    name: str
    content: Path | bytes = b""
    rejected: ImageRejected | None = None


def find_sources(paths: Sequence[Path]) -> tuple[list[Path], int]:
    """Files to read, each once, and at least how many images they hold.

    A file that is named is taken whatever it is called; of a folder, what `find_images` finds, and its zip archives.

    Raises:
        DataError: none of the paths is there, or nothing looks like an image.
    """
    found = dict[Path, None]()
    for path in paths:
        if path.is_dir():
            found |= dict.fromkeys(find_images(path))
            found |= dict.fromkeys(sorted(each for each in path.rglob("*.zip") if each.is_file()))
        else:  # one that is not there is rejected like any other that cannot be opened
            found[path] = None
    if paths and not any(path.exists() for path in paths):
        raise DataError(str(paths[0]), expected="a file, a folder or a zip archive", found="nothing there")
    if not found:
        raise DataError(", ".join(map(str, paths)), expected="X-rays (JPEG, PNG, TIFF, WebP, BMP, DICOM)", found="none")
    return list(found), len(found)


def open_sources(files: Sequence[Path], done: frozenset[str] = frozenset()) -> Iterator[Source]:
    """The images of these files, archives taken apart as they are reached.

    Args:
        done: names that are left out: an earlier call has their answers.
    """
    for path in files:
        if path.suffix.lower() == ".zip" and is_archive(path):
            yield from (each for each in _inside(path) if each.name not in done)
        elif str(path) not in done:
            yield Source(str(path), path)


def _inside(path: Path) -> Iterator[Source]:
    try:
        for member in read_archive(path):
            yield Source(f"{path}{INSIDE}{member.name}", member.data, member.rejected)
    except ImageRejected as error:
        yield Source(str(path), rejected=error)
