"""The index file: training images only, read through a memory map, and what its backbone has seen."""

import numpy as np
import pandas as pd
import pytest

from hilum.errors import DataError
from hilum.inspection import index as module
from hilum.inspection.embeddings import Embeddings
from hilum.inspection.index import ChunkedRows, NeighborIndex, Seen, read_index
from hilum.inspection.neighbors import NeighborSettings, find_neighbors
from hilum.labels import LabelSet

LABELS = LabelSet(("normal", "ill"))


def embeddings_of(count=50, split="train", dim=6):
    generator = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "image_path": [f"{split}/{n}.png" for n in range(count)],
            "patient_id": [f"p{n // 2}" for n in range(count)],
            "split": split,
            "label": generator.choice(list(LABELS), count),
            "sha256": [f"{split}-{n}" for n in range(count)],
            "canvas": [f"canvas-{split}-{n}" for n in range(count)],
        }
    )
    return Embeddings.of(rows, generator.normal(size=(count, dim)), model_sha256="abc")


def index_of(embeddings=None):
    made = embeddings or embeddings_of()
    seen = pd.concat([made.table, embeddings_of(6, "val").table])
    return NeighborIndex.of(made, LABELS, NeighborSettings(3), seen, root="data")


def test_what_is_written_is_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 16)
    made = index_of()
    made.write(tmp_path / "index.arrow")
    read = read_index(tmp_path / "index.arrow")
    pd.testing.assert_frame_equal(read.table, made.table, check_dtype=False)
    pd.testing.assert_frame_equal(read.seen.table, made.seen.table, check_dtype=False)
    assert read.about == {"model_sha256": "abc", "root": "data"} and read.settings == made.settings
    queries = np.random.default_rng(1).normal(size=(9, 6))
    for before, after in zip(made.search(queries), read.search(queries), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(made.classify(made.search(queries)), read.classify(read.search(queries)))


def test_vectors_are_read_from_the_map_and_not_copied(tmp_path):
    index_of().write(tmp_path / "index.arrow")
    matrix = read_index(tmp_path / "index.arrow").matrix
    assert all(not part.flags.writeable and not part.flags.owndata for part in matrix.parts)


def test_many_vectors_are_kept_in_half_the_space(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGE", 40)
    made = index_of()
    assert made.matrix.dtype == np.float16
    made.write(tmp_path / "index.arrow")
    assert read_index(tmp_path / "index.arrow").matrix.dtype == np.float16
    huge = embeddings_of()
    assert index_of(Embeddings(huge.table, huge.matrix * 1e6)).matrix.dtype == np.float32


def test_only_training_images_get_in():
    with pytest.raises(DataError, match=r"training images only.*test/0.png of test"):
        index_of(embeddings_of(split="test"))


def test_seen_by_file_by_picture_by_patient():
    seen = index_of().seen
    reasons = seen.reasons(
        ["train-4", "new", "new", "val-1", "new", ""],
        ["new", "canvas-train-5", "new", "", "new", ""],
        ["", "", "p3", "", "p99", ""],
    )
    assert reasons[0] == "the very file is train/4.png, which the model was trained on"
    assert reasons[1] == "the very picture is train/5.png, which the model was trained on"
    assert reasons[2] == "the same patient has train/6.png, which the model was trained on"
    assert reasons[3] == "the very file is val/1.png, which the model was chosen on"
    assert reasons[4:] == ["", ""]


def test_what_is_not_known_matches_nothing():
    seen = Seen(pd.DataFrame({name: ["", ""] for name in ("image_path", "patient_id", "split", "sha256", "canvas")}))
    assert seen.reasons([""], [""], [""]) == [""]


def test_rows_in_several_arrays_are_as_in_one():
    whole = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    rows = ChunkedRows([whole[:7], whole[7:8], whole[8:40], whole[40:]])
    for each in (slice(0, 50), slice(5, 9), slice(8, 40), slice(3, 45, 4), slice(50, 60)):
        np.testing.assert_array_equal(rows[each], whole[each])
    some = np.array([49, 0, 7, 7, 39])
    np.testing.assert_array_equal(rows[some], whole[some])
    np.testing.assert_array_equal(rows[whole[:, 0] > 0], whole[whole[:, 0] > 0])
    np.testing.assert_array_equal(find_neighbors(rows, whole[:5], 2, chunk=11).positions[:, 0], np.arange(5))


def test_another_file_is_refused(tmp_path):
    (tmp_path / "index.arrow").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="an index of neighbours"):
        read_index(tmp_path / "index.arrow")
    with pytest.raises(DataError, match="no such file"):
        read_index(tmp_path / "none.arrow")
