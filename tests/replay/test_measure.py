"""Figures of a predictions file against counting by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from hilum.data.predictions import Predictions
from hilum.labels import LabelSet
from hilum.replay.measure import find_class, measure_predictions
from hilum.replay.reported import Reported

LABELS = LabelSet(("normal", "bacteria", "virus"))


@pytest.fixture(scope="module")
def predictions():
    generator = np.random.default_rng(0)
    labels = generator.choice(LABELS.names, 90)
    rows = pd.DataFrame({"image_path": [f"{n}.png" for n in range(90)], "label": labels})
    rows["patient_id"], rows["split"] = [f"p{n // 2}" for n in range(90)], "test"
    return Predictions.of(rows, generator.normal(size=(90, 3)), LABELS)


def measured(metric, predictions):
    return measure_predictions(Reported("a-x", "x", "1", metric), predictions, "file", seed=0, replicates=30)


def pairs(predictions):
    return list(zip(predictions.table["target"], np.array(LABELS.names)[predictions.decisions], strict=True))


@pytest.mark.parametrize(
    ("metric", "count", "among"),
    [
        ("missed bacterial", lambda t, d: t == "bacteria" != d, lambda t, d: t == "bacteria"),
        ("called normal", lambda t, d: t != "normal" == d, lambda t, d: t != "normal"),
        ("false-positives", lambda t, d: t == "normal" != d, lambda t, d: t != d),
        ("sensitivity normal", lambda t, d: t == d == "normal", lambda t, d: t == "normal"),
        ("accuracy", lambda t, d: t == d, lambda t, d: True),
    ],
)
def test_counts_agree_with_a_loop_over_images(metric, count, among, predictions):
    cell = measured(metric, predictions)
    k = sum(count(*pair) for pair in pairs(predictions))
    n = sum(among(*pair) for pair in pairs(predictions))
    assert cell.estimate.value == pytest.approx(k / n)
    assert cell.estimate.ci_low < k / n < cell.estimate.ci_high
    assert (cell.images, cell.split) == (90, "test")
    if cell.text:
        assert cell.text.startswith(f"{k} of {n} ")


def test_a_matrix_carries_the_interval_of_its_accuracy(predictions):
    cell = measured("confusion", predictions)
    matrix = np.array(json.loads(cell.text))
    for target, decision in pairs(predictions):
        matrix[LABELS.index(target), LABELS.index(decision)] -= 1
    assert (matrix == 0).all()
    assert cell.estimate == measured("accuracy", predictions).estimate and "normal, bacteria, virus" in cell.note


def test_a_class_that_the_data_do_not_have_leaves_the_cell_empty(predictions):
    cell = measured("sensitivity covid", predictions)
    assert cell.empty and cell.note == "no class of these data is called covid"


@pytest.mark.parametrize(
    ("name", "labels", "position"),
    [
        ("bacterial", ("NORMAL", "BACTERIA"), 1),
        ("viral", ("normal", "bacteria", "virus"), 2),
        ("normal", ("Bacterial", "No finding"), 1),
        ("covid", ("normal", "viral"), None),
    ],
)
def test_classes_are_found_under_their_other_spellings(name, labels, position):
    assert find_class(LabelSet(labels), name) == position
