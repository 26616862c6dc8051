"""Corrected labels: read, applied, written down, and every slip answered in one line."""

import numpy as np
import pandas as pd
import pytest

from hilum.data.corrections import correct_labels, read_corrections
from hilum.data.manifest import Manifest
from hilum.errors import DataError
from hilum.labels import LabelSet


@pytest.fixture
def manifest(tmp_path):
    labels = ["NORMAL", "PNEUMONIA"] * 4
    splits = ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    table = pd.DataFrame(
        {
            "image_path": [f"{label}/{row}.png" for row, label in enumerate(labels)],
            "label": labels,
            "patient_id": [f"p{row}" for row in range(8)],
            "split": splits,
            "source": "here",
            "view": None,
            "height": 10,
            "width": 10,
            "sha256": [f"{row:064}" for row in range(8)],
        }
    )
    return Manifest(table, LabelSet.of(labels), tmp_path, {"warnings": ["an earlier one"]})


def _file(tmp_path, *rows, header="image_path,label,suggested,score,corrected"):
    path = tmp_path / "suspected-labels.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_corrected_rows_change_and_all_else_stays(manifest, tmp_path):
    path = _file(
        tmp_path,
        "NORMAL/0.png,NORMAL,PNEUMONIA,3.1,pneumonia",
        "NORMAL/2.png,NORMAL,PNEUMONIA,2.2,NORMAL",
        "PNEUMONIA/3.png,PNEUMONIA,NORMAL,2.0,",
    )
    corrected = correct_labels(manifest, read_corrections(path))
    expected = manifest.table.copy()
    expected.loc[0, "label"] = "PNEUMONIA"
    pd.testing.assert_frame_equal(corrected.table, expected)
    facts = corrected.facts["corrections"]
    assert facts["changed"] == [{"image_path": "NORMAL/0.png", "label": "NORMAL", "corrected": "PNEUMONIA"}]
    assert facts["confirmed"] == ["NORMAL/2.png"] and facts["test"] == 0
    assert (
        corrected.facts["warnings"][0] == "an earlier one"
        and "1 from NORMAL to PNEUMONIA" in corrected.facts["warnings"][1]
    )
    assert corrected.fingerprint != manifest.fingerprint


def test_a_corrected_test_label_is_said_aloud(manifest, tmp_path):
    table = pd.concat([manifest.table, manifest.table.assign(image_path=lambda t: "more/" + t["image_path"])])
    larger = manifest.with_table(table)
    path = _file(tmp_path, "NORMAL/6.png,PNEUMONIA", header="image_path,corrected")
    corrected = correct_labels(larger, read_corrections(path))
    assert corrected.facts["corrections"]["test"] == 1
    assert "test split" in corrected.facts["warnings"][-1]


def test_a_file_in_which_nothing_is_filled_in_changes_nothing(manifest, tmp_path):
    path = _file(tmp_path, "NORMAL/0.png,NORMAL,PNEUMONIA,3.1,")
    corrected = correct_labels(manifest, read_corrections(path))
    assert corrected.fingerprint == manifest.fingerprint
    assert corrected.facts["warnings"] == ["an earlier one"]


def test_images_that_were_left_out_may_stand_in_the_file(manifest, tmp_path):
    path = _file(tmp_path, "NORMAL/gone.png,NORMAL,PNEUMONIA,1.0,PNEUMONIA")
    assert correct_labels(manifest, read_corrections(path), ["NORMAL/gone.png"]).facts["corrections"]["changed"] == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("NORMAL/00.png,NORMAL,PNEUMONIA,1.0,PNEUMONIA", "Did you mean NORMAL/0.png"),
        ("elsewhere.png,NORMAL,PNEUMONIA,1.0,PNEUMONIA", "made for other data"),
        ("NORMAL/0.png,NORMAL,PNEUMONIA,1.0,PNEUMONA", "Did you mean PNEUMONIA"),
        ("NORMAL/0.png,NORMAL,PNEUMONIA,1.0,yes", "one of NORMAL, PNEUMONIA"),
        ("NORMAL/0.png,BACTERIA,VIRUS,1.0,PNEUMONIA", "made for other labels"),
        ("NORMAL/6.png,NORMAL,PNEUMONIA,1.0,PNEUMONIA", "none of NORMAL left in test"),
    ],
)
def test_a_slip_is_answered_in_one_line(manifest, tmp_path, row, words):
    with pytest.raises(DataError, match=words) as caught:
        correct_labels(manifest, read_corrections(_file(tmp_path, row)))
    assert "suspected-labels.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_two_corrections_of_one_image_are_refused_and_the_same_one_twice_is_not(tmp_path):
    same = "a.png,N,P,1.0,P"
    assert len(read_corrections(_file(tmp_path, same, same)).rows) == 1
    with pytest.raises(DataError, match="one correction an image"):
        read_corrections(_file(tmp_path, same, "a.png,N,P,1.0,N"))


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(DataError, match="corrected labels"):
        read_corrections(tmp_path / "none.csv")
    with pytest.raises(DataError, match="a column `corrected`"):
        read_corrections(_file(tmp_path, "a.png,N", header="image_path,label"))
    noise = tmp_path / "noise.csv"
    noise.write_bytes(np.random.default_rng(0).bytes(300))
    with pytest.raises(DataError):
        read_corrections(noise)
