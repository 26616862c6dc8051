"""The damage that repeats a mistake changes a figure the way the report's figure was changed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from hilum.data.manifest import Manifest
from hilum.data.predictions import Predictions
from hilum.data.splits import plan_splits
from hilum.evaluation import evaluate
from hilum.labels import LabelSet
from hilum.replay.mistakes import lifted_guards, permute_labels, random_fifth, split_by_image, use_test_as_val

LABELS = LabelSet(("normal", "pneumonia"))


@pytest.fixture
def manifest(tmp_path):
    """60 patients with 5 images each; the class is a patient's by lot, and nothing in a picture tells of it."""
    patients = np.repeat(np.arange(60), 5)
    label = np.array(LABELS.names)[np.random.default_rng(0).permutation(np.arange(60) % 2)][patients]
    table = pd.DataFrame({"image_path": [f"{n}.png" for n in range(300)], "label": label})
    table["patient_id"] = patients.astype(str)
    table = table.assign(source="x", view=None, height=8, width=8, split=None)
    table["sha256"] = table["image_path"]
    table["split"] = plan_splits(table, seed=0).split
    return Manifest(table, LABELS, tmp_path)


def validation_of_nearest(manifest):
    """Validation accuracy of 1-NN on pictures that tell the patient and nothing else."""
    generator = np.random.default_rng(1)
    patients = manifest.table["patient_id"].astype(int).to_numpy()
    pictures = generator.normal(size=(60, 64))[patients] + 0.1 * generator.normal(size=(len(patients), 64))
    train, val = ((manifest.table["split"] == name).to_numpy() for name in ("train", "val"))
    names = manifest.table["label"].to_numpy().astype(str)
    return KNeighborsClassifier(1).fit(pictures[train], names[train]).score(pictures[val], names[val])


def test_patients_on_both_sides_raise_validation_above_chance(manifest):
    assert validation_of_nearest(manifest) < 0.75
    assert validation_of_nearest(split_by_image(manifest, 0.2, seed=0)) > 0.95


def test_a_split_by_image_leaves_the_test_split_alone_and_is_stratified(manifest):
    damaged = split_by_image(manifest, 0.25, seed=3)
    is_test = manifest.table["split"] == "test"
    assert (damaged.table["split"][is_test] == "test").all()
    drawn = damaged.split("val")
    assert len(drawn) == round(0.25 * (~is_test).sum())
    assert abs((drawn["label"] == "normal").mean() - (manifest.table["label"][~is_test] == "normal").mean()) < 0.02
    assert set(drawn["patient_id"]) & set(damaged.split("train")["patient_id"])
    assert damaged.table["image_path"].equals(manifest.table["image_path"])


def test_without_a_test_split_all_images_are_in_two_parts(manifest):
    damaged = split_by_image(manifest, 0.25, seed=42, keep_test=False)
    assert damaged.table["split"].value_counts().to_dict() == {"train": 225, "val": 75}


def test_the_test_images_take_the_place_of_validation(manifest):
    damaged = use_test_as_val(manifest)
    assert set(damaged.split("val")["image_path"]) == set(manifest.split("test")["image_path"])
    assert len(damaged.split("train")) == len(manifest) - len(manifest.split("test"))
    assert set(manifest.table["split"]) == {"train", "val", "test"}  # the right one is as it was


def test_permuted_labels_give_chance_whatever_the_network_knows(manifest):
    rows = manifest.table
    logits = np.where(LABELS.encode(rows["label"].tolist())[:, None] == np.arange(2), 4.0, -4.0)
    right = Predictions.of(rows, logits, LABELS)
    assert evaluate(right, replicates=20).overall["accuracy"].value == 1.0
    wrong = evaluate(permute_labels(right, seed=0), replicates=20)
    assert 0.4 < wrong.overall["accuracy"].value < 0.6
    # The same labels and the same predictions, only not beside each other.
    assert np.sum(wrong.confusion, axis=1).tolist() == rows["label"].value_counts()[list(LABELS)].tolist()


def test_a_fifth_is_drawn_whoever_the_patient_is():
    drawn = random_fifth(100, seed=0)
    assert drawn.sum() == 20 and (random_fifth(100, seed=0) == drawn).all() and (random_fifth(100, 1) != drawn).any()


def test_only_a_random_frozen_network_lifts_a_guard():
    assert lifted_guards(["image-split", "knn-seen"]) == ()
    assert lifted_guards(["copied-row"]) == lifted_guards(["frozen-random"]) == ("frozen-random",)
