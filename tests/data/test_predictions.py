"""The predictions table: keyed by image, refusing what is no prediction."""

import numpy as np
import pandas as pd
import pytest

from hilum.data.predictions import Predictions, read_predictions
from hilum.errors import DataError
from hilum.labels import LabelSet

LABELS = LabelSet(("normal", "bacteria", "virus"))
ROWS = pd.DataFrame(
    {
        "image_path": ["b", "a", "c"],
        "patient_id": ["1", "1", "2"],
        "split": "val",
        "label": ["virus", "normal", "virus"],
    }
)
LOGITS = np.array([[0.0, 1.0, 3.0], [1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0]])


def test_probabilities_are_the_softmax_also_of_huge_logits():
    predictions = Predictions.of(ROWS, LOGITS, LABELS)
    np.testing.assert_allclose(predictions.probs[0], np.exp(LOGITS[0]) / np.exp(LOGITS[0]).sum())
    np.testing.assert_allclose(predictions.probs[1], [1, 0, 0])
    assert predictions.target.tolist() == [2, 0, 2] and predictions.decisions.tolist() == [2, 0, 0]


def test_it_reads_back(tmp_path):
    predictions = Predictions.of(ROWS, LOGITS, LABELS, model="m.safetensors")
    predictions.write(tmp_path / "p.parquet")
    again = read_predictions(tmp_path / "p.parquet")
    pd.testing.assert_frame_equal(again.table, predictions.table)
    assert again.labels == LABELS and again.about == {"model": "m.safetensors"}
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]


def test_an_image_twice_a_wrong_shape_and_nan_are_refused():
    with pytest.raises(DataError, match="one row an image"):
        Predictions.of(ROWS.assign(image_path="a"), LOGITS, LABELS)
    with pytest.raises(DataError, match="shape"):
        Predictions.of(ROWS, LOGITS[:2], LABELS)
    with pytest.raises(DataError, match="sum to 1"), np.errstate(invalid="ignore"):
        Predictions.of(ROWS, np.full((3, 3), np.nan), LABELS)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "p.parquet").write_bytes(b"PAR1")
    for name in ("p.parquet", "none.parquet"):
        with pytest.raises(DataError, match=name):
            read_predictions(tmp_path / name)
