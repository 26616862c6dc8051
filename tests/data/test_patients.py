"""The patient key: inferred, given, overridden; blanks are patients of their own."""

from pathlib import Path

import pandas as pd
import pytest

from hilum.data.patients import patient_keys
from hilum.data.sources import list_images
from hilum.errors import UsageError

KERMANY = Path(__file__).parents[2] / "../shared/data/chest_xray_224"


def keys_of(paths, pattern=None, **columns):
    return patient_keys(pd.DataFrame({"image_path": paths, **columns}), pattern)


def test_kermanys_four_series_count_separately():
    paths = [
        "train/NORMAL/IM-0115-0001.jpeg",
        "train/NORMAL/IM-0115-0002.jpeg",
        "train/NORMAL/NORMAL2-IM-0115-0001.jpeg",
        "train/PNEUMONIA/person115_bacteria_1.jpeg",
        "train/PNEUMONIA/person115_bacteria_2.jpeg",
        "train/PNEUMONIA/person115_virus_1.jpeg",
    ]
    keys, rule = keys_of(paths)
    assert rule["name"] == "kermany"
    assert keys[0] == keys[1] and keys[3] == keys[4]
    assert keys.nunique() == 4


@pytest.mark.skipif(not KERMANY.is_dir(), reason="the real Kermany set is not on this machine")
def test_the_real_set_has_4082_patients_and_none_in_both_splits():
    table = list_images(KERMANY).table
    keys, _ = patient_keys(table[["image_path"]])
    assert keys.nunique() == 4082
    assert not set(keys[table["split"] == "train"]) & set(keys[table["split"] == "test"])


def test_drawn_names_and_common_archives():
    assert keys_of(["normal/p0012_003.jpg", "viral/p0013_001.jpg"])[0].tolist() == ["0012", "0013"]
    assert keys_of(["a/patient00001/study1/view1.jpg"] * 2)[0].nunique() == 1
    assert keys_of(["x/00000013_005.png", "x/00000013_026.png", "x/00000017_001.png"])[0].nunique() == 2


def test_blank_ids_are_patients_of_their_own_never_one_group():
    keys, rule = keys_of(["a.jpg", "b.jpg", "c.jpg"], patient_id=["7", "", None])
    assert keys.nunique() == 3
    assert rule["images_without_patient"] == 2


def test_words_that_mean_unknown_are_no_patient_and_numbers_are_one():
    keys, _ = keys_of(list("abcdef"), patient_id=["nan", "None", "unknown", "ANON", "7", "7.0"])
    assert keys[:4].nunique() == 4
    assert keys[4] == keys[5] == "7"


def test_no_patient_in_the_names():
    keys, rule = keys_of(["normal/foo.jpg", "viral/bar.jpg"])
    assert rule["name"] == "none"
    assert keys.nunique() == 2 == rule["images_without_patient"]


def test_a_folder_for_each_patient():
    paths = [f"normal/case{letter}{number}/front.png" for letter in "abc" for number in range(10)]
    keys, rule = keys_of(paths)
    assert rule["name"] == "folder"
    assert keys.nunique() == 30


def test_the_users_pattern_wins_over_everything():
    keys, rule = keys_of(["x/A7-1.png", "x/A7-2.png", "x/B9-1.png"], r"/([AB])(\d)", patient_id=["1", "2", "3"])
    assert keys.tolist() == ["A-7", "A-7", "B-9"]
    assert rule["examples"][0] == {"image_path": "x/A7-1.png", "patient_id": "A-7"}


@pytest.mark.parametrize("pattern", ["(", "nowhere"])
def test_a_pattern_that_cannot_be_used(pattern):
    with pytest.raises(UsageError, match="--patient-pattern"):
        keys_of(["a.jpg"], pattern)


def test_file_names_tell_of_the_images_without_a_given_id():
    paths = [f"a/patient{n}_{k}.png" for n in range(5) for k in range(2)]
    given = ["X", None, "Y", "Y", None, None, None, None, None, None]
    keys, rule = keys_of(paths, patient_id=given)
    assert keys[0] == keys[1] == "X", "a name that stands beside one given id elsewhere is that patient"
    assert keys[2] == keys[3] == "Y"
    assert keys[4] == keys[5] and keys.nunique() == 5
    assert rule["images_without_patient"] == 0 and "7 images" in rule["sentence"]


def test_a_name_that_stands_for_two_given_ids_joins_nobody():
    paths = ["a/patient1_1.png", "a/patient1_2.png", "a/patient1_3.png"]
    keys, _ = keys_of(paths, patient_id=["X", "Y", None])
    assert keys.nunique() == 3
