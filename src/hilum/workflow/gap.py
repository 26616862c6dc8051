"""Validation minus test of the chosen run, taken apart and written beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hilum.audit.gap import explain_gap, small_pictures
from hilum.audit.pictures import CANVAS
from hilum.audit.sample import sample_rows
from hilum.data.build import open_cache
from hilum.data.manifest import Manifest
from hilum.data.predictions import read_predictions
from hilum.evaluation.values import Evaluation
from hilum.models.weights import file_sha256
from hilum.workflow.options import Options
from hilum.workflow.record import read_json, write_json

GAP = "gap.json"


def explain_run(run_dir: Path, manifest: Manifest, study_dir: Path, test: Evaluation | None, options: Options) -> None:
    """Writes `gap.json` of a run whose test split was opened; what is there for the same predictions is left."""
    if test is None:
        return
    paths = [run_dir / f"predictions-{split}.parquet" for split in ("val", "test")]
    of = [file_sha256(path) for path in paths]
    about = {"of": of, "seed": options.seed, "replicates": options.replicates}
    if {name: (read_json(run_dir / GAP) or {}).get(name) for name in about} == about:
        return
    write_json(
        run_dir / GAP, {**gap_of(run_dir, manifest, study_dir / "cache", options.seed, options.replicates), **about}
    )


def gap_of(run_dir: Path, manifest: Manifest, cache_dir: Path, seed: int, replicates: int) -> dict[str, Any]:
    """The gap of a run's validation and test predictions, as JSON.

    Args:
        cache_dir: where the canvases of the audit lie, or go.
    """
    columns = {name: manifest.table[name].to_numpy() for name in ("split", "label", "patient_id", "sha256")}
    sampled = sample_rows(manifest.table["patient_id"], seed=seed)
    val, test = (read_predictions(run_dir / f"predictions-{split}.parquet") for split in ("val", "test"))
    pictures = small_pictures(open_cache(manifest, CANVAS, cache_dir).of(manifest.table.iloc[sampled]))
    found = explain_gap(val, test, pictures, columns, sampled=sampled, replicates=replicates, seed=seed)
    return found.to_json()
