"""Temperature and operating points on the page."""

from __future__ import annotations

import json

import pytest

from hilum.data.predictions import Predictions, read_predictions
from hilum.evaluation.thresholds import apply_point, describe_points, fit_points
from hilum.report import write_report
from hilum.report.words import render_percent


def _with_temperature(path, temperature: float) -> Predictions:
    predictions = read_predictions(path)
    about = {**predictions.about, "temperature": temperature}
    changed = Predictions(predictions.table, predictions.labels, about)
    changed.write(path)
    return changed


@pytest.mark.parametrize(("temperature", "words"), [(1.6, "milder"), (0.4, "sharper")])
def test_reliability_before_and_after_and_points(make_study, temperature, words) -> None:
    study = make_study(labels=("normal", "viral"), images={"train": 8, "val": 40, "test": 30})
    run = study / "finetuned-small"
    val = read_predictions(run / "predictions-val.parquet")
    test = _with_temperature(run / "predictions-test.parquet", temperature)
    points = fit_points(val.probs, val.target, val.labels)
    document = {
        "points": [point.to_json() for point in points],
        "gives": {"test": describe_points([apply_point(point, test) for point in points])},
    }
    (run / "calibration.json").write_text(json.dumps(document))
    page = write_report(study).read_text()
    assert "As the network says it" in page and f"Divided by the temperature {temperature:.2f}" in page
    assert f"makes all probabilities {words} and changes no answer" in page
    assert "Where to draw the line" in page and "The one that was to find 95 % of viral found" in page
    given = apply_point(points[0], test).accuracy
    shown = page.split('data-figure="finetuned-small/test/viral/youden/accuracy">')[1].split("<")[0]
    assert shown == render_percent(given.value)
    assert f"{points[0].threshold:.3f}" in page and "Youden&#39;s index" in page


def test_without_them_the_page_is_as_before(make_study) -> None:
    page = write_report(make_study()).read_text()
    assert "Where to draw the line" not in page and "Stated and kept" in page
