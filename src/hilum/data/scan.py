"""One pass over the files: each is read once, hashed, decoded, described, and put into the cache."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hilum.data.cache import CanvasWriter
from hilum.errors import HilumError, ImageRejected
from hilum.images import Image, read_image
from hilum.images.image import Acquisition
from hilum.transforms import to_canvas
from hilum.transforms.preprocessing import shorter_side_needed

Progress = Callable[[int], None]


def scan_images(
    paths: Sequence[Path], writers: Sequence[CanvasWriter] = (), on_progress: Progress | None = None
) -> pd.DataFrame:
    """Reads files, in threads.

    Args:
        paths: the files.
        writers: caches to fill; canvas i is made from file i.
        on_progress: called with the number of files done since the last call.

    Returns:
        One row a file, in order: header facts (the fields of `Acquisition`, `metadata` space-separated), `sha256`,
        `pixels_sha256` (of the decoded picture and its size), `mean` and `contrast` (of the grey levels, in [0, 1]),
        `warnings` (codes, space-separated), and for a rejected file `code` and `reason` (else None).
    """

    def scan(position: int) -> dict[str, Any]:
        return _scan_one(position, paths[position], writers)

    rows = []
    for row in _in_threads(scan, len(paths)):
        rows.append(row)
        if on_progress:
            on_progress(1)
    return pd.DataFrame(rows)


FACTS = 3
"""Raised by hand whenever a row says more, or something else, than before: studies then read their files again."""

_ACQUIRED = tuple(field.name for field in fields(Acquisition))

SIDE_OF_FACTS = 224
"""Shorter side that pictures are decoded to for their mean and contrast."""


def _scan_one(position: int, path: Path, writers: Sequence[CanvasWriter]) -> dict[str, Any]:
    try:
        images: dict[int, Image] = {}
        canvases = []
        for writer in writers:
            # Decoded anew for each size: a canvas made by way of a larger one would have other pixels.
            side = shorter_side_needed(writer.preprocessing)
            images[side] = images.get(side) or read_image(path, shorter_side=side)
            canvases.append(to_canvas(images[side], writer.preprocessing))
        row = describe(images.get(SIDE_OF_FACTS) or read_image(path, shorter_side=SIDE_OF_FACTS))
    except ImageRejected as rejection:
        return {"code": rejection.code, "reason": str(rejection)}
    except MemoryError:
        return {"code": "memory", "reason": f"{path.name}: no memory left to prepare the picture"}
    except (HilumError, OSError) as error:
        return {"code": "unreadable", "reason": f"{path.name}: {' '.join(str(error).split())}"}
    for writer, canvas in zip(writers, canvases, strict=True):
        writer.put(position, canvas)  # a disk that is full is no fault of the picture's: it ends the command
    return row


def describe(image: Image) -> dict[str, Any]:
    """Header facts and two figures of the grey levels, flat, as manifest columns."""
    import cv2

    full = 255.0 if image.pixels.dtype == np.uint8 else 65535.0
    (mean,), (contrast,) = (figure[0] for figure in cv2.meanStdDev(image.pixels))
    facts = {name: getattr(image.acquisition, name) for name in _ACQUIRED}
    facts["header_patient_id"], facts["header_view"] = facts.pop("patient_id"), facts.pop("view")
    return {
        **facts,
        "metadata": " ".join(image.acquisition.metadata),
        "sha256": image.sha256,
        "pixels_sha256": _digest(image.pixels),
        "mean": float(mean) / full,
        "contrast": float(contrast) / full,
        "warnings": " ".join(image.warnings),
        "code": None,
        "reason": None,
    }


def _digest(pixels: np.ndarray) -> str:
    """SHA-256 of the shape and the grey levels: the same for files that differ in their header or packing only."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


AT_ONCE = 16
"""Files that a thread takes at a time: handing over each by itself costs a tenth of the whole."""


def _in_threads(work: Callable[[int], dict[str, Any]], count: int) -> Iterator[dict[str, Any]]:
    """Results in order, a bounded number in flight: 100,000 futures at once would cost memory for nothing."""

    def work_on(start: int) -> list[dict[str, Any]]:
        return [work(position) for position in range(start, min(start + at_once, count))]

    workers = min(16, os.cpu_count() or 1)
    at_once = max(1, min(AT_ONCE, count // (4 * workers)))
    starts = iter(range(0, count, at_once))
    with ThreadPoolExecutor(workers) as pool:
        waiting = deque(pool.submit(work_on, start) for start in islice(starts, 4 * workers))
        while waiting:
            yield from waiting.popleft().result()
            waiting.extend(pool.submit(work_on, start) for start in islice(starts, 1))
