"""Every image decoded once: a memory-mapped array of uint8 canvases beside the study."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hilum.data.row_file import RowFile
from hilum.errors import DataError
from hilum.transforms import Preprocessing

READER = 2
"""Raised by hand whenever reading or `to_canvas` gives other pixels than before: old caches are then left alone."""


@dataclass(frozen=True)
class CanvasCache:
    """Canvases of a manifest's images.

    Args:
        canvases: uint8 `[M, S, S]`, memory-mapped, read-only; identical files share a canvas.
        row_of: SHA-256 of a file -> its position in `canvases`.
    """

    canvases: np.ndarray
    row_of: dict[str, int]

    def rows(self, sha256: Iterable[str]) -> np.ndarray:
        """int64 `[N]`: positions of these files in `canvases`."""
        return np.array([self.row_of[digest] for digest in sha256], dtype=np.int64)

    def of(self, table: pd.DataFrame) -> CanvasView:
        """The canvases of some manifest rows, in their order, without a copy of all of them."""
        return CanvasView(self.canvases, self.rows(table["sha256"]))


@dataclass(frozen=True)
class CanvasView:
    """Chosen canvases in a chosen order; copies only what is asked for.

    Args:
        canvases: uint8 `[M, S, S]`.
        rows: int64 `[N]`.
    """

    canvases: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, positions) -> np.ndarray:
        """uint8 `[..., S, S]` for a position, a slice or an array of positions; a copy, unless it is a single one."""
        chosen = np.asarray(self.canvases[self.rows[positions]])
        let_go(self.canvases, chosen.nbytes)
        return chosen


KEPT_MAPPED = 256 << 20
"""Bytes that are read from a map before its pages are let go."""

_mapped: dict[int, int] = {}


def let_go(canvases: np.ndarray, more: int) -> None:
    """Gives the pages of a memory map back now and then; the file's content stays in the system's page cache.

    Otherwise the resident memory of a run would grow to the size of the whole cache, although nothing holds it.
    """
    mapped = getattr(canvases, "_mmap", None)
    if mapped is None or not hasattr(mmap, "MADV_DONTNEED"):
        return
    read = _mapped.get(id(mapped), 0) + more
    if read > KEPT_MAPPED:
        mapped.madvise(mmap.MADV_DONTNEED)
        read = 0
    _mapped[id(mapped)] = read


def cache_key(sha256: Iterable[str], preprocessing: Preprocessing) -> str:
    """Changes with the content of the images (its first half) and with every option that changes a canvas."""
    about = {"reader": READER, "canvas": preprocessing.canvas}
    return f"{_digest(sorted(set(sha256)))}-{_digest(about)}"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def remove_stale(folder: Path, sha256: Iterable[str]) -> None:
    """Removes the caches of other images than these: the data have changed since, nothing will ask for them again."""
    images = _digest(sorted(set(sha256)))
    for place in folder.glob("*") if folder.is_dir() else ():
        if place.is_dir() and not place.name.startswith((".", images)):
            shutil.rmtree(place, ignore_errors=True)


def reserve(path: Path) -> None:
    """Sees that the disk has room for a whole sparse file, now: a memory map that meets a full disk kills the process.

    Raises:
        OSError: no room.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


class CanvasWriter:
    """Fills a cache in a folder of its own and renames it into place: never half-written, safe for two processes.

    Args:
        folder: where caches lie.
        count: canvases to make room for.
        preprocessing: what they are made with.
    """

    def __init__(self, folder: Path, count: int, preprocessing: Preprocessing) -> None:
        self.folder, self.preprocessing = folder, preprocessing
        self.partial = folder / f".partial-{os.getpid()}-{os.urandom(4).hex()}"
        self.partial.mkdir(parents=True)
        side = preprocessing.image_size
        self._rows = RowFile(self.partial / "canvases.npy", (count, side, side))
        try:
            reserve(self.partial / "canvases.npy")
        except OSError as error:
            self.__exit__()
            raise DataError(
                str(folder),
                expected=f"{count * side * side / 1e6:,.0f} MB of free space for the decoded images",
                found=str(error.strerror or error),
                way_out="Make room, or let the study lie on another disk with --out.",
            ) from None

    def __enter__(self) -> CanvasWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()
        shutil.rmtree(self.partial, ignore_errors=True)

    def put(self, position: int, canvas: np.ndarray) -> None:
        """Writes one canvas; safe from many threads."""
        self._rows.put(position, canvas)

    def settle(self) -> None:
        """All canvases are there: the disk may begin while something else is done before `finish`."""
        self._rows.settle()

    def finish(self, sha256: Sequence[str | None], wanted: Iterable[str]) -> CanvasCache:
        """Puts the cache into its place.

        Args:
            sha256: for each canvas the file that it was made from, None where there is none.
            wanted: the files of the manifest, which the cache is named after.
        """
        row_of = {digest: row for row, digest in enumerate(sha256) if digest is not None}
        self._rows.finish()
        (self.partial / "index.json").write_text(json.dumps(row_of))
        place = self.folder / cache_key(wanted, self.preprocessing)
        try:
            self.partial.rename(place)
        except OSError:
            if find_cache(place) is None:  # a damaged one stands in the way
                shutil.rmtree(place)
                self.partial.rename(place)
        cache = find_cache(place)
        if cache is None:
            raise DataError(str(place), expected="the cache that was just written", found="a damaged one")
        return cache


def find_cache(place: Path) -> CanvasCache | None:
    """The cache at a place, None if there is none or it is damaged."""
    try:
        canvases = np.load(place / "canvases.npy", mmap_mode="r")
        row_of = json.loads((place / "index.json").read_text())
    except (OSError, ValueError, EOFError):
        return None
    fits = canvases.dtype == np.uint8 and canvases.ndim == 3 and len(canvases) > max(row_of.values(), default=0)
    return CanvasCache(canvases, row_of) if fits else None
