"""What a folder or a manifest file holds."""

import os
from pathlib import Path

import pandas as pd
import pytest

from hilum.data.sources import list_images
from hilum.errors import DataError, UsageError


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_class_folders(tmp_path):
    touch(tmp_path, "NORMAL/a.jpg", "PNEUMONIA/b.png", "PNEUMONIA/deeper/c.dcm", "readme.txt", "NORMAL/.hidden.jpg")
    table = list_images(tmp_path).table
    found = dict(zip(table["image_path"], table["label"], strict=True))
    assert found == {"NORMAL/a.jpg": "NORMAL", "PNEUMONIA/b.png": "PNEUMONIA", "PNEUMONIA/deeper/c.dcm": "PNEUMONIA"}
    assert table["split"].isna().all()


def test_split_folders_with_one_class_spelt_in_two_ways(tmp_path):
    touch(
        tmp_path, "train/NORMAL/a.jpg", "train/NORMAL/b.jpg", "Valid/normal/c.jpg", "test/Normal/d.jpg", "notes/e.jpg"
    )
    table = list_images(tmp_path).table
    assert sorted(table["split"]) == ["test", "train", "train", "val"]
    assert set(table["label"]) == {"NORMAL"}


def test_kermanys_names_make_three_classes(tmp_path):
    touch(tmp_path, "train/NORMAL/IM-1-1.jpeg", "train/PNEUMONIA/person1_bacteria_1.jpeg")
    touch(tmp_path, "test/PNEUMONIA/person1_virus_6.jpeg", "train/PNEUMONIA/odd.jpeg")
    listing = list_images(tmp_path, "kermany3")
    assert sorted(listing.table["label"]) == ["bacteria", "normal", "virus"]
    assert listing.unlabelled == ("train/PNEUMONIA/odd.jpeg",)


def test_a_regular_expression_names_the_label(tmp_path):
    touch(tmp_path, "covid_1.jpg", "normal_1.jpg")
    table = list_images(tmp_path, r"(?P<label>covid|normal)_").table
    assert sorted(table["label"]) == ["covid", "normal"]


@pytest.mark.parametrize(
    ("labels", "words"), [("kermany", "Did you mean `kermany3`"), ("(", "regular expression"), ("abc", "group named")]
)
def test_an_impossible_label_rule(tmp_path, labels, words):
    with pytest.raises(UsageError, match=words):
        list_images(tmp_path, labels)


def test_a_manifest_with_paths_relative_to_it(tmp_path):
    touch(tmp_path, "set/images/a.jpg", "other/b.jpg")
    manifest = tmp_path / "set" / "manifest.csv"
    manifest.write_text("path,label,patient_id,split\nimages/a.jpg,COVID,,training\n../other/b.jpg,NORMAL,7,test\n")
    listing = list_images(manifest)
    assert listing.root == (tmp_path / "set").resolve()
    assert listing.table["image_path"].tolist() == ["images/a.jpg", "../other/b.jpg"]
    assert listing.table["split"].tolist() == ["train", "test"]
    assert listing.table["patient_id"].tolist() == [None, "7"]


def test_a_manifest_inside_the_folder_is_used_and_said(tmp_path):
    touch(tmp_path, "A/1.jpg", "B/2.jpg", "B/3.jpg")
    (tmp_path / "manifest.csv").write_text("path,label,patient_id\nA/1.jpg,A,p1\nB/2.jpg,B,p2\n")
    listing = list_images(tmp_path)
    assert listing.table["patient_id"].tolist() == ["p1", "p2"]
    assert "1 images that it does not name were left out" in listing.warnings[-1]
    assert len(list_images(tmp_path, r"^(?P<label>[AB])/").table) == 3


def test_a_csv_of_something_else_is_no_manifest(tmp_path):
    touch(tmp_path, "A/1.jpg", "B/2.jpg")
    (tmp_path / "manifest.csv").write_text("serial,price\n1,2\n")
    assert len(list_images(tmp_path).table) == 2


def test_parquet_reads_like_csv(tmp_path):
    pd.DataFrame({"image_path": ["a.jpg"], "label": ["x"], "patient_id": [7]}).to_parquet(tmp_path / "m.parquet")
    table = list_images(tmp_path / "m.parquet").table
    assert table["patient_id"].tolist() == ["7"]


def test_rows_that_repeat_an_image_are_left_out_and_said(tmp_path):
    (tmp_path / "m.csv").write_text("path,label\na.jpg,x\na.jpg,x\nb.jpg,y\n")
    listing = list_images(tmp_path / "m.csv")
    assert len(listing.table) == 2
    assert "1 rows" in listing.warnings[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,label\na.jpg,Edema|Effusion\n", "one label an image"),
        ("path,Edema,Effusion\na.jpg,1,0\nb.jpg,0,1\n", "one label an image"),
        ("path,class\na.jpg,x\n", "a column `label`"),
        ("label\nx\n", "`path`"),
        ("path,label\na.jpg,x\na.jpg,y\n", r"m\.csv: a\.jpg: .* different labels"),
        ("path,label\na.jpg,x\nb\0.jpg,y\n", "NUL character in row 3"),
        ("path,label,split\na.jpg,x,dunno\n", "dunno"),
        ("path,label\n", "no image files"),
        ("", "a table with"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_one_clear_line(tmp_path, text, words):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=words) as error:
        list_images(tmp_path / "m.csv")
    assert "\n" not in str(error.value)


def test_no_such_folder_names_the_nearest(tmp_path):
    (tmp_path / "chest_xray").mkdir()
    with pytest.raises(DataError, match=r"Did you mean .*chest_xray"):
        list_images(tmp_path / "chest_xrays")


def test_an_empty_folder_and_one_without_class_folders(tmp_path):
    with pytest.raises(DataError, match="no image files"):
        list_images(tmp_path)
    touch(tmp_path, "a.jpg")
    with pytest.raises(DataError, match="1 images without a label"):
        list_images(tmp_path)


def test_names_in_another_encoding_are_listed_not_fatal(tmp_path):
    touch(tmp_path, "a/1.jpg", "b/2.jpg")
    Path(os.fsdecode(os.fsencode(tmp_path / "a") + b"/caf\xe9.jpg")).write_bytes(b"x")
    listing = list_images(tmp_path)
    assert len(listing.table) == 2
    assert listing.unwritable == ("a/caf\\xe9.jpg",)


def test_studies_of_ours_are_no_class(tmp_path):
    touch(tmp_path, "A/1.jpg", "B/2.jpg", "runs/drawn/drawn/train/normal/x.jpg")
    (tmp_path / "runs/drawn/study.json").write_text("{}")
    listing = list_images(tmp_path)
    assert set(listing.table["label"]) == {"A", "B"}
    assert "passed over" in listing.warnings[0]


def test_split_folders_without_train_are_not_taken_for_classes(tmp_path):
    touch(tmp_path, "val/NORMAL/1.jpg", "test/NORMAL/2.jpg")
    with pytest.raises(DataError, match="no train/"):
        list_images(tmp_path)


def test_patient_columns_by_other_names_and_untidy_paths(tmp_path):
    (tmp_path / "m.csv").write_text("Path,Label,Patient ID,label\n./a.jpg,x,7,y\nb/../c.jpg,y,8,x\n")
    table = list_images(tmp_path / "m.csv").table
    assert table["image_path"].tolist() == ["a.jpg", "c.jpg"]
    assert table["patient_id"].tolist() == ["7", "8"]
    assert table["label"].tolist() == ["x", "y"]


def test_the_digest_sees_a_touched_file(tmp_path):
    touch(tmp_path, "a/1.jpg", "b/2.jpg")
    before = list_images(tmp_path).digest()
    assert list_images(tmp_path).digest() == before
    (tmp_path / "a/1.jpg").write_bytes(b"other")
    assert list_images(tmp_path).digest() != before


def test_the_folders_are_the_splits_where_a_manifest_inside_names_none(tmp_path):
    touch(tmp_path, "train/A/1.jpg", "train/B/2.jpg", "test/A/3.jpg")
    rows = "image_path,label\ntrain/A/1.jpg,a\ntrain/B/2.jpg,b\ntest/A/3.jpg,a\n"
    (tmp_path / "manifest.csv").write_text(rows)
    table = list_images(tmp_path).table
    assert table["split"].tolist() == ["train", "train", "test"]


def test_a_split_column_of_a_manifest_inside_counts_more_than_the_folders(tmp_path):
    touch(tmp_path, "train/A/1.jpg", "train/B/2.jpg", "test/A/3.jpg")
    rows = "image_path,label,split\ntrain/A/1.jpg,a,test\ntrain/B/2.jpg,b,train\ntest/A/3.jpg,a,\n"
    (tmp_path / "manifest.csv").write_text(rows)
    assert list_images(tmp_path).table["split"].fillna("").tolist() == ["test", "train", ""]


def test_a_label_rule_that_a_manifest_overrules_is_said_so(tmp_path):
    touch(tmp_path, "a.jpg")
    (tmp_path / "list.csv").write_text("path,label\na.jpg,x\n")
    listing = list_images(tmp_path / "list.csv", "kermany3")
    assert listing.labels_from == "list.csv"
    assert any("--labels kermany3 was not used" in warning for warning in listing.warnings)
    assert not list_images(tmp_path / "list.csv").warnings


def test_an_accent_in_two_encodings_is_one_class(tmp_path):
    (tmp_path / "list.csv").write_text("path,label\na.jpg,n\u00e9gatif\nb.jpg,ne\u0301gatif\n")
    assert set(list_images(tmp_path / "list.csv").table["label"]) == {"n\u00e9gatif"}
