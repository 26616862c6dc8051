"""The plan of a data set: patients, splits, and each fault present at 1, absent at 0, growing in between."""

from dataclasses import fields

import numpy as np
import pytest

from hilum.data.phantom import Faults, draw_dataset
from hilum.errors import UsageError


def table(images=300, **options):
    faults = Faults(**{name: options.pop(name) for name in list(options) if name in FAULT_NAMES})
    return draw_dataset(images=images, faults=faults, **options).table


FAULT_NAMES = [field.name for field in fields(Faults)]


def hit(name, rows):
    """Which files a fault of a plan hits, by name."""
    where = {
        "marker": rows["marker"] >= 0,
        "border": rows["border"] >= 0,
        "jpeg_quality": rows["planted_quality"],
        "duplicates": rows["origin"] == "copy",
        "near_duplicates": rows["origin"] == "near-copy",
        "patients_in_both": rows["origin"] == "further",
        "wrong_labels": rows["wrong_label"],
        "unreadable": rows["damage"] != "",
    }[name]
    return set(rows["name"][where])


def test_a_plan_has_as_many_images_as_asked_for_and_names_its_patients():
    rows = table(images=301, images_per_patient=2.0)
    assert len(rows) == 301
    assert rows["name"].is_unique
    assert rows["name"].str.fullmatch(r"p\d{4}_\d{3}").all()
    assert (rows["name"].str.split("_").str[0] == rows["patient_id"]).all()
    assert 1.7 < len(rows) / rows["patient_id"].nunique() < 2.3


def test_a_patient_has_one_body_one_class_and_one_split():
    rows = table(images_per_patient=3.0)
    for column in ("patient_seed", "label", "finding", "split"):
        assert (rows.groupby("patient_id")[column].nunique() == 1).all()
    assert rows["image_seed"].is_unique
    assert not rows["in_both"].any()


def test_classes_are_balanced_and_the_split_is_stratified():
    rows = table(images=900, test_fraction=0.25)
    shares = rows["label"].value_counts(normalize=True)
    assert set(shares.index) == {"normal", "bacterial", "viral"} and shares.min() > 0.28
    for _, of_class in rows.groupby("label"):
        assert (of_class["split"] == "test").mean() == pytest.approx(0.25, abs=0.05)
    assert (table(test_fraction=0)["split"] == "train").all()


def test_without_faults_nothing_is_wrong():
    rows = table()
    assert (rows["label"] == rows["true_label"]).all() and (rows["finding"] == rows["label"]).all()
    assert (rows["origin"] == "drawn").all() and (rows["shift"] == 0).all()
    assert all(not hit(name, rows) for name in FAULT_NAMES if name not in ("shifted_test", "scarce_class"))


@pytest.mark.parametrize("name", ["marker", "border", "jpeg_quality", "wrong_labels", "unreadable"])
def test_a_fault_hits_its_share_and_a_stronger_one_hits_the_same_files_and_more(name):
    plain = table(images=600)
    before = set()
    for strength in (0.0, 0.3, 0.7, 1.0):
        rows = table(images=600, **{name: strength})
        now = hit(name, rows)
        assert len(now) / len(rows) == pytest.approx(strength, abs=0.08)
        assert before <= now
        before = now
        assert (rows["image_seed"] == plain["image_seed"]).all() and (rows["split"] == plain["split"]).all()
    assert len(before) == 600


@pytest.mark.parametrize("name", ["duplicates", "near_duplicates"])
def test_copies_come_on_top_under_another_patient(name):
    plain, before = table(images=200), set()
    for strength in (0.2, 0.6, 1.0):
        rows = table(images=200, **{name: strength})
        copies = rows[rows["copy_of"] != ""]
        assert len(rows) - len(copies) == len(plain)
        assert len(copies) / len(plain) == pytest.approx(strength, abs=0.11)
        originals = rows.set_index("name").loc[copies["copy_of"]]
        assert (originals["image_seed"].to_numpy() == copies["image_seed"].to_numpy()).all()
        assert (originals["true_label"].to_numpy() == copies["true_label"].to_numpy()).all()
        assert not set(copies["patient_id"]) & set(plain["patient_id"])
        assert before <= set(copies["copy_of"])
        before = set(copies["copy_of"])
    assert set(copies["split"]) == {"train", "test"}
    assert (copies["change"] != "").all() == (name == "near_duplicates")


def test_patients_in_both_have_a_further_image_in_train():
    assert not table()["in_both"].any()
    half, full = table(patients_in_both=0.5), table(patients_in_both=1.0)
    for rows in (half, full):
        both = rows.groupby("patient_id")["split"].nunique() > 1
        assert set(rows["patient_id"][rows["in_both"]]) == set(both.index[both])
        assert (rows["split"][rows["origin"] == "further"] == "train").all()
    test_patients = set(full["patient_id"][full["split"] == "test"])
    assert set(full["patient_id"][full["in_both"]]) == test_patients
    assert set(half["patient_id"][half["in_both"]]) < test_patients


def test_markers_borders_and_qualities_say_the_class_at_full_strength():
    rows = table(marker=1.0, border=1.0, jpeg_quality=1.0)
    for column in ("marker", "border", "jpeg_quality"):
        assert rows.groupby("true_label")[column].nunique().max() == 1
        assert rows[column].nunique() == 3


def test_only_test_images_are_shifted_and_as_far_as_asked():
    rows = table(shifted_test=0.4)
    assert (rows["shift"] == np.where(rows["split"] == "test", 0.4, 0.0)).all()


def test_the_last_class_grows_scarce_but_stays_in_both_splits():
    plain, before = table(images=600), None
    for strength in (0.3, 0.7, 1.0):
        rows = table(images=600, scarce_class=strength)
        names = set(rows["name"])
        assert names <= (before or set(plain["name"]))
        before = names
        kept = (rows["label"] == "viral").sum() / (plain["label"] == "viral").sum()
        assert kept == pytest.approx(1 - strength, abs=0.1)
        assert (rows["label"] != "viral").sum() == (plain["label"] != "viral").sum()
        assert set(rows["split"][rows["label"] == "viral"]) == {"train", "test"}


def test_wrong_labels_are_other_classes():
    rows = table(wrong_labels=1.0)
    assert (rows["label"] != rows["true_label"]).all() and rows["label"].isin(rows["true_label"].unique()).all()


def test_independent_pictures_have_nothing_to_do_with_the_class():
    rows = table(images=1500, independent=True)
    shares = rows.groupby("true_label")["finding"].value_counts(normalize=True)
    assert shares.min() > 0.25 and shares.max() < 0.42
    assert (rows.groupby("patient_id")["finding"].nunique() == 1).all()


def test_pneumonia_is_drawn_as_either_kind():
    rows = table(classes=("normal", "pneumonia"))
    assert set(rows["finding"][rows["label"] == "pneumonia"]) == {"bacterial", "viral"}


def test_a_hundred_thousand_images_are_planned_without_drawing_one():
    dataset = draw_dataset(images=100_000, faults=Faults(duplicates=0.1, wrong_labels=0.05))
    assert len(dataset) > 109_000 and dataset.table["name"].is_unique
    assert dataset.table.memory_usage(deep=True).sum() < 200e6
    assert dataset[99_999].pixels.shape[0] > 190


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"classes": ("normal", "bacterail")}, "Did you mean 'bacterial'"),
        ({"classes": ("normal", "normal")}, "different names"),
        ({"classes": ()}, "at least one"),
        ({"images": 0}, "number of images: expected at least 1, found 0"),
        ({"images_per_patient": 0.5}, "from 1 to 100"),
        ({"test_fraction": 1.0}, "below 1"),
        ({"difficulty": -0.1}, "difficulty"),
        ({"size": 5000}, "4096"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_wishes_are_refused(wish, words):
    with pytest.raises(UsageError, match=words):
        draw_dataset(**wish)


def test_a_strength_above_one_is_refused():
    with pytest.raises(UsageError, match=r"fault marker: expected a strength from 0 to 1, found 1\.5"):
        Faults(marker=1.5)
