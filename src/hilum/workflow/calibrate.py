"""What is fitted on validation after training, and goes into the model file: temperature, operating points, and what
the training pictures look like.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hilum.data.cache import CanvasView
from hilum.data.manifest import Manifest
from hilum.data.predictions import Predictions, read_predictions
from hilum.evaluation.calibration import fit_temperature
from hilum.evaluation.shift import describe_pictures, picture_figures, spread_positions
from hilum.evaluation.thresholds import OperatingPoint, apply_point, describe_points, fit_points
from hilum.evaluation.values import without_nan
from hilum.models.extras import add_extras
from hilum.models.weights import file_sha256
from hilum.workflow.elsewhere import read_elsewhere
from hilum.workflow.record import read_json, write_json

CALIBRATION = "calibration.json"


def calibrate_run(run_dir: Path, manifest: Manifest, train: CanvasView) -> None:
    """Fits on a run's validation predictions, adds what came out to its model file, and writes `calibration.json`.

    Validation predictions stay as the network made them; the predictions of every other split, and those of a loaded
    model, are made with the temperature.

    Args:
        train: canvases of the training split.
    """
    model, path = run_dir / "model.safetensors", run_dir / "predictions-val.parquet"
    predictions = read_predictions(path)
    document = calibration_of(predictions, read_elsewhere(run_dir))
    extras = {
        "temperature": document["temperature"],
        "operating_points": document["points"],
        "training_data": describe_training(manifest, train),
    }
    add_extras(model, extras)
    # The weights are the same, but the file is another one: the predictions name the one that is there.
    Predictions(predictions.table, predictions.labels, {**predictions.about, "model_sha256": file_sha256(model)}).write(
        path
    )
    write_json(run_dir / CALIBRATION, without_nan(document))


def calibration_of(predictions: Predictions, elsewhere: Predictions | None = None) -> dict[str, Any]:
    """What `calibration.json` holds of a run's validation predictions, before any other split was predicted.

    Args:
        elsewhere: of validation images as they might look elsewhere; None = there are none, as in older runs.
    """
    fitted = fit_temperature(predictions.logits, predictions.target)
    calibrated = predictions.with_logits(fitted(predictions.logits))
    more = None if elsewhere is None else elsewhere.with_logits(fitted(elsewhere.logits))
    points = fit_points(
        calibrated.probs,
        calibrated.target,
        calibrated.labels,
        elsewhere=None if more is None else (more.probs, more.target),
    )
    return {
        "schema": "hilum.calibration/1",
        "temperature": fitted.temperature,
        "fitted_on": {"split": "val", "images": fitted.images},
        "log_loss": {"before": fitted.before, "after": fitted.after},
        "points": [point.to_json() for point in points],
        "gives": {"val": describe_points([apply_point(point, calibrated) for point in points])},
    }


def add_points(run_dir: Path, split: str) -> None:
    """Adds to `calibration.json` what the operating points of a run give on a split that was predicted."""
    document = read_json(run_dir / CALIBRATION)
    if document is None:  # a run of before there was any
        return
    found = what_points_give(document, read_predictions(run_dir / f"predictions-{split}.parquet"))
    write_json(run_dir / CALIBRATION, without_nan({**document, "gives": {**document["gives"], split: found}}))


def what_points_give(document: Mapping[str, Any], predictions: Predictions) -> list[dict[str, Any]]:
    """What the operating points of a calibration give on predictions that were made with its temperature."""
    points = [OperatingPoint.from_json(each) for each in document["points"]]
    return describe_points([apply_point(point, predictions) for point in points])


def describe_training(manifest: Manifest, train: CanvasView) -> dict[str, Any]:
    """What the model file says of the pictures that it was trained on."""
    rows = manifest.split("train")
    positions = spread_positions(len(train))
    counts = rows["label"].value_counts()
    return {
        "counts": {label: int(counts.get(label, 0)) for label in manifest.labels},
        "patients": int(rows["patient_id"].nunique()),
        "pictures": describe_pictures(picture_figures(train[positions])),
    }
