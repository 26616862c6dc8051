"""A drawn data set on disk: class folders, truth.csv, drawn.json."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pandas as pd

from hilum.data.phantom.dataset import BY_NAME, DrawnDataset, draw_dataset
from hilum.data.phantom.dicom import encode_dicom
from hilum.data.phantom.drawing import Drawing
from hilum.data.phantom.faults import Faults
from hilum.data.phantom.files import damage_bytes, encode_jpeg, encode_png, through_jpeg
from hilum.data.phantom.patient import draw_patient
from hilum.errors import DataError, UsageError
from hilum.version import __version__

SCHEMA = "hilum.drawn/1"
FACTS_FILE, TRUTH_FILE = "drawn.json", "truth.csv"
SUFFIXES = {"jpeg": ".jpg", "png": ".png", "dicom": ".dcm"}
LAYOUTS = ("splits", "folders")
BOX = ("lesion_left", "lesion_top", "lesion_right", "lesion_bottom")

Format = Literal["jpeg", "png", "dicom"]
Layout = Literal["splits", "folders"]


def image_paths(table: pd.DataFrame, format: Format, layout: Layout) -> list[str]:
    """Where each row's file goes, relative to the data set's folder, with `/`."""
    folders = table["split"] + "/" + table["label"] if layout == "splits" else table["label"]
    return list(folders + "/" + table["name"] + SUFFIXES[format])


def encode(drawing: Drawing, row: Mapping[str, Any], format: Format) -> bytes:
    """The bytes of a row's file, before any damage."""
    if format == "jpeg":
        return encode_jpeg(drawing.pixels, row["jpeg_quality"])
    if row["planted_quality"]:
        drawing = through_jpeg(drawing, row["jpeg_quality"])
    if format == "png":
        return encode_png(drawing.pixels)
    # A byte-identical copy carries the patient of its original.
    source = row["copy_of"] if row["origin"] == "copy" else row["name"]
    return encode_dicom(
        drawing.intensity,
        patient=draw_patient(row["patient_seed"]),
        patient_id=source.rsplit("_", 1)[0],
        machine=row["machine"],
        view=row["view"],
        inverted=BY_NAME[row["machine"]].inverted,
        key=f"{row['image_seed']} {source}",
    )


def _write_rows(dataset: DrawnDataset, root: Path, paths: list[str], format: Format, rows: range) -> list[tuple]:
    """Writes some rows; returns size and lesion box of each."""
    written = []
    for index in rows:
        row, drawing = dataset.row(index), dataset[index]
        content = damage_bytes(
            encode(drawing, row, format), row["damage"], np.random.default_rng([row["image_seed"], 2])
        )
        (root / paths[index]).write_bytes(content)
        written.append((*drawing.intensity.shape, *(drawing.facts.lesion_box or (None,) * 4)))
    return written


def _chunks(count: int, size: int) -> list[range]:
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


Job = Callable[[range], list[tuple]]
_job: list[Job] = []
"""In a worker process: what it was started for. Sent once, for the plan of a large data set is large."""


def _start_worker(job: Job) -> None:
    cv2.setNumThreads(1)
    _job[:] = [job]


def _work(rows: range) -> list[tuple]:
    return _job[0](rows)


def _run(job: Job, chunks: list[range], workers: int) -> Iterator[list[tuple]]:
    if workers <= 1:
        yield from map(job, chunks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(job,)) as pool:
        try:
            yield from pool.map(_work, chunks)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _prepare(out: Path) -> Path:
    """The folder to write into until all is done; what a killed run of ours left there is cleared away."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        what = "a folder with something in it" if out.is_dir() else "a file"
        raise UsageError(
            f"output {out}", expected="a new or empty folder", found=what, way_out="Name another one, or empty it."
        )
    partial_dir = out.with_name(out.name + ".partial")
    if partial_dir.exists():
        if not (partial_dir / FACTS_FILE).is_file():
            raise UsageError(
                f"{partial_dir}", expected="nothing, or what a stopped run left", found="something else",
                way_out="Move it away: the data set is put together there.",
            )  # fmt: skip
        shutil.rmtree(partial_dir)
    partial_dir.mkdir(parents=True)
    return partial_dir


def write_dataset(
    dataset: DrawnDataset,
    out: Path,
    *,
    format: Format = "jpeg",
    layout: Layout = "splits",
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Writes a data set: `OUT/train/CLASS/p0012_003.jpg`, `OUT/truth.csv`, `OUT/drawn.json`.

    All is put together in `OUT.partial` and renamed at the end, so that what a killed run leaves cannot be taken for a
    data set. The file name says the patient (`p0012`) and which of the patient's images it is.

    Args:
        out: a folder that does not exist or is empty.
        format: `jpeg` at each machine's own quality, `png`, or `dicom` (12 bits; one machine writes MONOCHROME1).
        layout: `splits` for train and test folders of class folders, `folders` for class folders only.
        workers: processes; above 1 the calling script needs the usual `if __name__ == "__main__":`.
        on_progress: called with how many images are written, and of how many.

    Returns:
        The folder.

    Raises:
        UsageError: `out` is in use, or an unknown format or layout.
    """
    if format not in SUFFIXES or layout not in LAYOUTS:
        raise UsageError(
            f"format {format!r}, layout {layout!r}",
            expected=f"format {', '.join(SUFFIXES)}; layout {', '.join(LAYOUTS)}",
        )
    out = Path(out)
    root = _prepare(out)
    try:
        _write_facts(dataset, root, format, layout)
        paths = image_paths(dataset.table, format, layout)
        for folder in {(root / path).parent for path in paths}:
            folder.mkdir(parents=True, exist_ok=True)
        measured: list[tuple] = []
        job = partial(_write_rows, dataset, root, paths, format)
        for written in _run(job, _chunks(len(dataset), 64), workers):
            measured += written
            if on_progress:
                on_progress(len(measured), len(dataset))
        truth = pd.DataFrame(measured, columns=["height", "width", *BOX]).astype(dict.fromkeys(BOX, "Int64"))
        table = dataset.table.reset_index(drop=True)
        table.insert(0, "image_path", paths)
        pd.concat([table, truth], axis=1).to_csv(root / TRUTH_FILE, index=False, lineterminator="\n")
        if out.exists():
            out.rmdir()
        root.rename(out)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise
    return out


def _write_facts(dataset: DrawnDataset, root: Path, format: Format, layout: Layout) -> None:
    facts = {
        "schema": SCHEMA,
        "hilum": __version__,
        "format": format,
        "layout": layout,
        "files": len(dataset),
        "arguments": dict(dataset.arguments),
    }
    (root / FACTS_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def read_dataset(root: Path) -> DrawnDataset:
    """The data set that `write_dataset` wrote to a folder, with its truth masks, drawn again from its arguments.

    Raises:
        DataError: the folder was not written by `write_dataset`.
    """
    path = Path(root) / FACTS_FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["schema"] != SCHEMA:
            raise ValueError(facts["schema"])
        arguments = facts["arguments"]
        return draw_dataset(**{**arguments, "faults": Faults(**arguments["faults"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}", expected=f"a file of schema {SCHEMA}", way_out="Draw the data set again with hilum draw."
        ) from error
