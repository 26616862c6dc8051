"""Embeddings keyed by image, on disk and back."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hilum.errors import DataError
from hilum.inspection.embeddings import Embeddings, canvas_digests, read_embeddings


def rows_of(count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_path": [f"{n}.png" for n in range(count)],
            "patient_id": [f"p{n // 2}" for n in range(count)],
            "split": ["train", "val", "test"] * (count // 3) + ["train"] * (count % 3),
            "label": ["normal", "ill"] * (count // 2) + ["ill"] * (count % 2),
            "sha256": [f"{n:064x}" for n in range(count)],
            "height": 64,
        },
        index=range(5, 5 + count),
    )


def test_what_is_written_is_read_back(tmp_path: Path):
    matrix = np.random.default_rng(0).normal(size=(7, 12))
    made = Embeddings.of(rows_of(7), matrix, model="m.safetensors", layer="embedding")
    made.write(tmp_path / "embeddings.parquet")
    read = read_embeddings(tmp_path / "embeddings.parquet")
    pd.testing.assert_frame_equal(read.table, made.table)
    np.testing.assert_array_equal(read.matrix, made.matrix)
    assert read.matrix.dtype == np.float32 and read.dim == 12
    assert read.about == {"model": "m.safetensors", "layer": "embedding"}
    assert list(read.table.columns) == ["image_path", "patient_id", "split", "label", "sha256"]


def test_parquet_has_one_vector_a_row_for_others_too(tmp_path: Path):
    matrix = np.arange(12, dtype=np.float32).reshape(4, 3)
    Embeddings.of(rows_of(4), matrix).write(tmp_path / "e.parquet")
    frame = pd.read_parquet(tmp_path / "e.parquet")
    np.testing.assert_array_equal(np.stack(frame["embedding"].to_list()), matrix)
    assert frame["image_path"].tolist() == ["0.png", "1.png", "2.png", "3.png"]


def test_no_rows_keep_their_width(tmp_path: Path):
    Embeddings.of(rows_of(0), np.empty((0, 5))).write(tmp_path / "e.parquet")
    assert read_embeddings(tmp_path / "e.parquet").matrix.shape == (0, 5)


def test_splits_and_rows_keep_table_and_matrix_together():
    made = Embeddings.of(rows_of(9), np.arange(9)[:, None] * np.ones((9, 2)))
    both = made.split("val", "test")
    assert both.table["image_path"].tolist() == ["1.png", "2.png", "4.png", "5.png", "7.png", "8.png"]
    assert both.matrix[:, 0].tolist() == [1, 2, 4, 5, 7, 8]
    assert made.take(np.array([8, 0])).table["image_path"].tolist() == ["8.png", "0.png"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows, matrix: (rows.drop(columns="label"), matrix), "no label"),
        (lambda rows, matrix: (rows.assign(image_path="a.png"), matrix), "one row an image"),
        (lambda rows, matrix: (rows, matrix[:-1]), "shape"),
        (lambda rows, matrix: (rows, np.where(matrix == matrix[2, 1], np.nan, matrix)), "2.png"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    rows, matrix = change(rows_of(4), np.arange(8.0).reshape(4, 2))
    with pytest.raises((DataError, KeyError), match=message):
        Embeddings(rows.reset_index(drop=True), matrix.astype(np.float32))


def test_another_file_is_refused(tmp_path: Path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="expected a file of the kind"):
        read_embeddings(tmp_path / "a.parquet")


def test_digests_are_of_pixels():
    canvases = np.random.default_rng(0).integers(0, 255, (5, 8, 8), dtype=np.uint8)
    canvases[3] = canvases[1]
    found = canvas_digests(canvases, batch_size=2)
    assert found[3] == found[1] and len(set(found)) == 4
