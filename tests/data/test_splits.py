"""Splits keep patients and identical files on one side, are stratified, and honour what is given."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from hilum.data.splits import connected_groups, draw_groups, plan_splits
from hilum.errors import DataError


def rows(images=600, patients=300, seed=0, split=None):
    generator = np.random.default_rng(seed)
    patient = generator.integers(patients, size=images)
    label = np.where(patient % 10 < 6, "normal", np.where(patient % 10 < 9, "bacteria", "virus"))
    return pd.DataFrame(
        {
            "label": label,
            "patient_id": [f"p{number}" for number in patient],
            "sha256": [f"{number:064x}" for number in range(images)],
            "split": split,
        }
    )


@pytest.mark.parametrize("seed", range(5))
def test_no_patient_stands_on_two_sides(seed):
    table = rows(seed=seed)
    plan = plan_splits(table, seed=seed)
    assert plan.split.notna().all()
    assert table.assign(split=plan.split).groupby("patient_id")["split"].nunique().max() == 1


def test_shares_are_as_asked_in_every_class():
    table = rows(images=3000, patients=1500)
    split = plan_splits(table, val_fraction=0.25, test_fraction=0.1, seed=3).split
    for label in table["label"].unique():
        share = split[table["label"] == label].value_counts(normalize=True)
        assert share["test"] == pytest.approx(0.1, abs=0.02)
        assert share["val"] == pytest.approx(0.25 * 0.9, abs=0.02)


def test_as_even_as_scikit_learns_splitter():
    table = rows(images=2000, patients=700, seed=1)
    groups = connected_groups(table["patient_id"])
    ours = draw_groups(table["label"].to_numpy(), groups, 0.2, seed=0)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    _, theirs = next(folds.split(table, table["label"], groups))
    whole = table["label"].value_counts(normalize=True)

    def worst(chosen):
        return (table["label"][chosen].value_counts(normalize=True) - whole).abs().max()

    assert worst(ours) <= worst(theirs) + 0.02
    assert ours.mean() == pytest.approx(0.2, abs=0.01)


def test_the_same_seed_splits_alike_and_another_does_not():
    table = rows()
    assert plan_splits(table, seed=1).split.equals(plan_splits(table, seed=1).split)
    assert not plan_splits(table, seed=1).split.equals(plan_splits(table, seed=2).split)


def test_a_given_test_split_is_never_redrawn():
    given = ["test" if number < 100 else "train" for number in range(600)]
    table = rows(split=given)
    plan = plan_splits(table)
    assert (plan.split[:100] == "test").all()
    assert not (plan.split[100:] == "test").any()


def test_training_images_of_test_patients_and_copies_of_test_files_are_left_out():
    table = rows(patients=10_000, split=["test" if number < 100 else "train" for number in range(600)])
    table["patient_id"] = [f"p{number}" for number in range(600)]
    table.loc[200, "patient_id"] = "p5"
    table.loc[300, "sha256"] = table["sha256"][6]
    plan = plan_splits(table)
    assert plan.left_out == {200: "patient-in-test", 300: "file-in-test"}
    assert plan.split[[200, 300]].isna().all()
    assert any("2 training images were left out" in warning for warning in plan.warnings)


def test_a_chain_to_the_test_split_is_cut_whole():
    table = rows(patients=10_000, split=["test" if number < 100 else "train" for number in range(600)])
    table["patient_id"] = [f"p{number}" for number in range(600)]
    table.loc[300, "sha256"] = table["sha256"][6]
    table.loc[400, "patient_id"] = "p300"  # another picture of the patient whose file is in the test split
    assert plan_splits(table).left_out == {300: "file-in-test", 400: "patient-in-test"}


def test_a_class_that_would_have_no_training_image_is_refused():
    labels = ["a"] * 50 + ["b"] * 50 + ["c"] + ["a"] * 20 + ["b"] * 20 + ["c"] * 5
    count = len(labels)
    table = pd.DataFrame(
        {
            "label": labels,
            "patient_id": [f"p{number}" for number in range(count)],
            "sha256": [str(number) for number in range(count)],
            "split": ["train"] * 101 + ["test"] * 45,
        }
    )
    with pytest.raises(DataError, match="class c"):
        plan_splits(table)


def test_identical_files_of_two_patients_stay_together():
    table = rows(patients=10_000)
    table["sha256"] = [f"{number // 2:064x}" for number in range(600)]
    split = plan_splits(table, seed=4).split
    assert split.groupby(table["sha256"]).nunique().max() == 1


def test_a_small_validation_set_is_merged_and_redrawn():
    given = ["val" if number < 16 else "train" for number in range(600)]
    plan = plan_splits(rows(split=given))
    assert any("only 16 images" in warning for warning in plan.warnings)
    assert (plan.split == "val").sum() > 60


def test_a_large_validation_set_is_honoured_and_keeps_its_patients():
    given = ["val" if number < 150 else "train" for number in range(600)]
    table = rows(split=given)
    plan = plan_splits(table)
    assert (plan.split[:150] == "val").all()
    assert table.assign(split=plan.split).groupby("patient_id")["split"].nunique().max() == 1


@pytest.mark.parametrize(
    ("labels", "patients", "words"),
    [
        (["normal"] * 6, "abcdef", "at least two classes"),
        (["normal"] * 5 + ["virus"], "abcdef", "class virus"),
        (["normal"] * 5 + ["virus"] * 4, "abcdeffgg", "4 images of 2"),
    ],
)
def test_too_little_is_one_clear_line(labels, patients, words):
    table = pd.DataFrame(
        {"label": labels, "patient_id": list(patients), "sha256": [str(n) for n in range(len(labels))], "split": None}
    )
    with pytest.raises(DataError, match=words) as error:
        plan_splits(table)
    assert "\n" not in str(error.value)


def test_connected_groups_follow_chains():
    patient = pd.Series(["a", "b", "b", "c", "d"])
    digest = pd.Series(["1", "1", "2", "2", "3"])
    groups = connected_groups(patient, digest)
    assert len(set(groups[:4])) == 1
    assert groups[4] != groups[0]
