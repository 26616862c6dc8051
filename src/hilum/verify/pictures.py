"""The pictures behind a folder: found again, hashed, decoded again beside the cache and the manifest's columns."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hilum.audit.pictures import CANVAS
from hilum.data.cache import CanvasCache, CanvasWriter, cache_key, find_cache
from hilum.data.manifest import Manifest
from hilum.data.scan import scan_images
from hilum.evaluation.shift import spread_positions
from hilum.models.weights import file_sha256
from hilum.transforms import Preprocessing
from hilum.verify.book import Book

EVERY, SAMPLE = 1000, 300
"""Up to so many pictures are all decoded again; of more, so many that are evenly spread."""

MOST = 8
COLUMNS = ("height", "width", "mean", "contrast", "pixels_sha256")
"""What a manifest says of a picture's content."""


@dataclass(frozen=True)
class Pictures:
    """Where the pictures lie, as far as they do.

    Args:
        root: None where they are not to be found.
        sound: bool `[N]`, in manifest order: the file is there and is the one that the manifest names.
    """

    root: Path | None
    sound: np.ndarray


def find_root(folder: Path, manifest: Manifest, data: Path | None) -> Path | None:
    """Where the pictures of a manifest lie now.

    Args:
        data: where a person says that they lie; else a place inside the folder, for drawn X-rays move with their study,
            or the place that the manifest names.
    """
    own = folder / "drawn" / manifest.root.name
    places = (
        [data]
        if data is not None
        else [own, manifest.root]
        if manifest.root.parent.name == "drawn"
        else [manifest.root]
    )
    first = manifest.table["image_path"].head(50).tolist()
    return next((each for each in places if any((each / name).is_file() for name in first)), None)


def check_pictures(book: Book, manifest: Manifest, root: Path | None) -> Pictures:
    """Hashes every picture and compares it with the manifest."""
    table = manifest.table
    if root is None:
        book.skip(
            f"{len(table):,} pictures were not looked at: they are not at {manifest.root}; --data names where they are."
        )
        return Pictures(None, np.zeros(len(table), bool))

    def digest(name: str) -> str:
        try:
            path, about = root / name, (root / name).stat()
            key = ("picture", str(path), about.st_mtime_ns, about.st_ctime_ns, about.st_size)
            return book.recall(key, lambda: file_sha256(path))
        except OSError:
            return ""

    with ThreadPoolExecutor(4) as pool:
        found = np.array(list(pool.map(digest, table["image_path"])), dtype=object)
    sound = found == table["sha256"].to_numpy()
    book.compared += len(table)
    wrong = np.flatnonzero(~sound)
    for row in wrong[:MOST]:
        shown = f"SHA-256 {found[row][:12]}…" if found[row] else "no such file"
        book.differ(f"{table['image_path'].iloc[row]}", "picture", f"SHA-256 {table['sha256'].iloc[row][:12]}…", shown)
    if len(wrong) > MOST:
        book.differ("pictures", "further ones", "as the manifest names them", f"{len(wrong) - MOST} others or none")
    return Pictures(root, sound)


def check_decoded(
    book: Book, folder: Path, manifest: Manifest, pictures: Pictures, preprocessings: Sequence[Preprocessing]
) -> None:
    """Decodes pictures again: canvases of the cache and the manifest's columns have to come out the same."""
    if pictures.root is None:
        return
    rows = np.flatnonzero(pictures.sound)
    if len(rows) > EVERY:
        rows = rows[spread_positions(len(rows), SAMPLE)]
        book.note(f"{len(rows)} of {len(manifest):,} pictures were decoded again beside cache and manifest.")
    caches = caches_of(folder, manifest, preprocessings)
    table, root = manifest.table.iloc[rows].reset_index(drop=True), pictures.root
    key = ("decoded", str(root), tuple(table["sha256"]), tuple(place.name for place in caches))

    def decode() -> tuple[pd.DataFrame, list[np.ndarray]]:
        with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
            writers = [
                stack.enter_context(CanvasWriter(Path(temporary), len(table), each)) for each, _ in caches.values()
            ]
            facts = scan_images([root / name for name in table["image_path"]], writers)
            digests = facts["sha256"].where(facts["sha256"].notna(), None).tolist()
            made = [writer.finish(digests, facts["sha256"].dropna()) for writer in writers]
            return facts, [np.array(each.canvases) for each in made]

    facts, canvases = book.recall(key, decode)
    _compare_facts(book, table, facts)
    for (place, (_, cache)), fresh in zip(caches.items(), canvases, strict=True):
        _compare_canvases(book, place.relative_to(folder).as_posix(), cache, table, fresh)


def caches_of(
    folder: Path, manifest: Manifest, preprocessings: Sequence[Preprocessing]
) -> dict[Path, tuple[Preprocessing, CanvasCache]]:
    """The caches that a folder has of some preprocessings."""
    found = {}
    for each in (CANVAS, *preprocessings):
        place = folder / "cache" / cache_key(manifest.table["sha256"], each)
        cache = find_cache(place)
        if cache is not None and set(manifest.table["sha256"]) <= cache.row_of.keys():
            found[place] = (each, cache)
    return found


def _compare_facts(book: Book, table: pd.DataFrame, facts: pd.DataFrame) -> None:
    for name in (each for each in COLUMNS if each in table and each in facts):
        book.compared += len(table)
        one, other = facts[name].to_numpy(), table[name].to_numpy()
        if name in ("mean", "contrast"):
            differs = ~np.isclose(one.astype(float), other.astype(float), rtol=1e-9, atol=0)
        else:
            differs = one != other
        for row in np.flatnonzero(differs)[:MOST]:
            book.words_differ(
                "manifest.parquet", f"{table['image_path'].iloc[row]}, {name}", str(one[row]), str(other[row])
            )


def _compare_canvases(book: Book, place: str, cache: CanvasCache, table: pd.DataFrame, fresh: np.ndarray) -> None:
    book.compared += len(table)
    kept = cache.of(table)[np.arange(len(table))]
    wrong = np.flatnonzero((kept != fresh).any(axis=(1, 2)))
    for row in wrong[:MOST]:
        pixels = int((kept[row] != fresh[row]).sum())
        book.words_differ(
            f"{place}/canvases.npy",
            str(table["image_path"].iloc[row]),
            "what the picture gives",
            f"{pixels} other pixels",
        )
