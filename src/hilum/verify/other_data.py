"""What `hilum evaluate` wrote: figures, thresholds and recalibration made anew from its predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hilum.data.manifest import Manifest
from hilum.data.predictions import Predictions, read_predictions
from hilum.evaluation.thresholds import OperatingPoint
from hilum.evaluation.values import without_nan
from hilum.verify.book import Book
from hilum.verify.documents import compare_values
from hilum.verify.runs import check_metrics, check_rows
from hilum.workflow.evaluate import TrialOptions, points_at, recalibrate
from hilum.workflow.other_data import PREDICTIONS, SPLIT

DOCUMENT = "evaluation.json"


def check_evaluation(book: Book, folder: Path, manifest: Manifest) -> None:
    """Every number of an evaluation besides its page."""
    known: dict[str, Predictions] = {}
    with book.check("the predictions", PREDICTIONS):
        predictions = read_predictions(folder / PREDICTIONS)
        book.expect(
            PREDICTIONS, "fingerprint of manifest.parquet", manifest.fingerprint, predictions.about.get("manifest")
        )
        check_rows(book, PREDICTIONS, predictions, manifest.table)
        known[SPLIT] = predictions
    with book.check("the figures", "metrics.json"):
        check_metrics(book, folder, "", folder, known)
    if SPLIT in known:
        with book.check("thresholds and recalibration", DOCUMENT):
            _check_document(book, folder, manifest, known[SPLIT])


def _check_document(book: Book, folder: Path, manifest: Manifest, predictions: Predictions) -> None:
    found = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    counts = {name: int(count) for name, count in manifest.table["label"].value_counts().items()}
    compare_values(book, DOCUMENT, counts, found["counts"], "counts")
    points = [_point(each) for each in found["points"]]
    expected = _plain(points_at(points, predictions, found["prevalence"]))
    compare_values(book, DOCUMENT, expected, found["points"], "points")
    if found["recalibration"] is not None:
        source = metrics[SPLIT]["source"]
        options = TrialOptions(
            prevalence=found["prevalence"],
            recalibrate=found["recalibration"]["fraction"],
            seed=source["seed"],
            replicates=source["replicates"],
        )
        again = _plain(recalibrate(predictions, options))
        compare_values(book, DOCUMENT, again, found["recalibration"], "recalibration")
    if found["shift"]:
        book.skip("How far the pictures lie from those of training was not computed again: the model file is not here.")


def _point(found: dict[str, Any]) -> OperatingPoint:
    """A threshold as the model file held it; what it gave on validation stands in no file here."""
    nan = float("nan")
    return OperatingPoint(found["name"], found["label"], found["threshold"], found["sentence"], nan, nan, 0)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(without_nan(value)))
