"""The whole audit: each part in turn, timed; a part that fails is written down and does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pandas as pd

from hilum.audit.confounding import find_confounding
from hilum.audit.duplicates import find_duplicates
from hilum.audit.files import find_file_faults
from hilum.audit.finding import Audit, Finding
from hilum.audit.labels import find_suspected_labels
from hilum.audit.patients import find_patient_faults
from hilum.audit.pictures import Pictures, look_at
from hilum.audit.shift import find_shift
from hilum.audit.shortcuts import find_shortcuts
from hilum.audit.size import find_size_faults
from hilum.audit.views import Views, take_views
from hilum.data.manifest import SPLITS, Manifest
from hilum.errors import DataError
from hilum.version import __version__

RULES = 1
"""Raised by hand whenever an audit finds something else than before: what an earlier one found is then found anew."""

Progress = Callable[[str, int, int], None]
"""Called with the part at work, how much is done, and of how much."""


class Part(NamedTuple):
    """One part of an audit."""

    name: str
    find: Callable[[], list[Finding]]


def audit_manifest(
    manifest: Manifest,
    canvases: Any,
    *,
    quarantine: pd.DataFrame | None = None,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Audit:
    """Looks for everything that can be wrong with a data set before anybody trains on it.

    Args:
        manifest: images, labels, patients, splits.
        canvases: uint8 `[N, S, S]` in manifest order, made with `pictures.CANVAS`; read in blocks, so a memory map or a
            view of a cache costs little memory.
        quarantine: `image_path, code, reason` of the files that are not in the manifest.
        seed: of everything that is drawn.
        on_progress: see `Progress`.

    Returns:
        The findings; a part that fails is named in `facts["parts"]` with the reason, and the others go on.

    Raises:
        DataError: canvases that are not those of the manifest.
    """
    if len(canvases) != len(manifest):
        raise DataError("canvases", expected=f"one for each of {len(manifest)} images", found=f"{len(canvases)}")
    findings, parts = list[Finding](), list[dict[str, Any]]()
    started = time.monotonic()
    pictures = look_at(manifest, canvases, _step(on_progress, "pictures"))
    parts.append({"name": "pictures", "seconds": round(time.monotonic() - started, 2), "findings": 0})
    for part in _parts(manifest, canvases, pictures, quarantine, seed, on_progress):
        if on_progress:
            on_progress(part.name, 0, 1)
        found, row = _timed(part)
        findings += found
        parts.append(row)
    return Audit(tuple(findings), _facts(manifest, quarantine, seed, parts))


def _parts(
    manifest: Manifest,
    canvases: Any,
    pictures: Pictures,
    quarantine: pd.DataFrame | None,
    seed: int,
    on_progress: Progress | None,
) -> Iterator[Part]:
    step = _step(on_progress, "duplicates")
    yield Part("files", lambda: find_file_faults(manifest, pictures, quarantine, seed=seed))
    yield Part("duplicates", lambda: find_duplicates(manifest, pictures, on_progress=step, seed=seed))
    yield Part("patients", lambda: find_patient_faults(manifest, pictures, quarantine, seed=seed))
    yield Part("confounding", lambda: find_confounding(manifest, seed=seed))
    yield Part("size", lambda: find_size_faults(manifest, seed=seed))
    taken: list[Views] = []

    def views() -> Views:
        """Made when the first probe asks, and then kept."""
        if not taken:
            taken.append(take_views(canvases, _step(on_progress, "views")))
        return taken[0]

    yield Part("shortcuts", lambda: find_shortcuts(manifest, views(), seed=seed))
    yield Part("shift", lambda: find_shift(manifest, views(), seed=seed))
    yield Part("labels", lambda: find_suspected_labels(manifest, views(), seed=seed))


def _timed(part: Part) -> tuple[list[Finding], dict[str, Any]]:
    started, failed = time.monotonic(), ""
    try:
        found = part.find()
    except Exception as error:  # findings never stop a study, and neither does looking for them
        found, failed = [], f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    row = {"name": part.name, "seconds": round(time.monotonic() - started, 2), "findings": len(found)}
    return found, {**row, "failed": failed} if failed else row


def _step(on_progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    if on_progress is None:
        return None
    return lambda done, total: on_progress(name, done, total)


def _facts(manifest: Manifest, quarantine: pd.DataFrame | None, seed: int, parts: list[dict]) -> dict[str, Any]:
    splits = manifest.table["split"].value_counts()
    return {
        "images": len(manifest),
        "patients": int(manifest.table["patient_id"].nunique()),
        "classes": {label: int((manifest.table["label"] == label).sum()) for label in manifest.labels},
        "splits": {name: int(splits[name]) for name in SPLITS if name in splits},
        "left_out": 0 if quarantine is None else len(quarantine),
        "manifest": manifest.fingerprint,
        "seed": seed,
        "hilum": __version__,
        "rules": RULES,
        "parts": parts,
    }
