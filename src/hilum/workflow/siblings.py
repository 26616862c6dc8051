"""Other studies on this machine that opened the same test images: their looks count as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hilum.data.manifest import Manifest, read_manifest
from hilum.errors import HilumError
from hilum.evaluation.ledger import LEDGER, read_ledger


def find_other_openings(study_dir: Path, manifest: Manifest) -> list[dict[str, Any]]:
    """Openings in the folders beside a study's, where test images are the same files.

    Returns:
        One entry a study: `study` (folder name), `openings`, `models` (different ones), `shared` (test images of this
        study that it opened too) and `images` (test images of this study).
    """
    own = set(manifest.split("test")["sha256"])
    here = study_dir.resolve()
    folders = [ledger.parent for ledger in sorted(here.parent.glob(f"*/{LEDGER}")) if ledger.parent != here]
    return [entry for folder in folders if (entry := _openings(folder, own))]


def _openings(folder: Path, own: set[str]) -> dict[str, Any] | None:
    try:
        openings = [each for each in read_ledger(folder) if each.split == "test"]
        other = set(read_manifest(folder / "manifest.parquet").split("test")["sha256"]) if openings else set()
    except (HilumError, OSError, KeyError, ValueError):
        return None  # no study, or a damaged one: nothing can be said of it
    shared = len(own & other)
    if not shared:
        return None
    models = len({each.model_sha256 for each in openings})
    return {"study": folder.name, "openings": len(openings), "models": models, "shared": shared, "images": len(own)}
