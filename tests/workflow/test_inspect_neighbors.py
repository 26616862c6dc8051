"""k-NN of a study's run: chosen on validation, test opened once and written down, the leak beside it."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

import hilum
from hilum.data.manifest import read_manifest
from hilum.data.predictions import read_predictions
from hilum.evaluation import read_evaluations, read_ledger
from hilum.inspection.embeddings import read_embeddings
from hilum.inspection.index import read_index
from hilum.recipes.schema import Neighbors
from hilum.workflow.inspect import InspectionContext
from hilum.workflow.inspect_neighbors import inspect_neighbors
from hilum.workflow.options import Options


@pytest.fixture
def context(trained, tmp_path):
    study, _ = trained
    folder = tmp_path / "study"
    shutil.copytree(study.study_dir, folder)
    shutil.rmtree(folder / "tiny" / "inspection", ignore_errors=True)
    manifest = read_manifest(folder / "manifest.parquet")
    options = Options(device="cpu", replicates=20)
    return InspectionContext(folder, "tiny", manifest, options, True, 60.0, lambda *_: None)


def folder_of(context):
    return context.study_dir / "tiny" / "inspection" / "neighbors"


def test_figures_are_those_of_scikit_learn_with_the_chosen_settings(context):
    inspect_neighbors(context)
    folder = folder_of(context)
    settings = json.loads((folder / "neighbors.json").read_text())["settings"]
    embeddings = read_embeddings(context.study_dir / "tiny" / "inspection" / "embeddings.parquet")
    train, test = embeddings.split("train"), embeddings.split("test")
    oracle = KNeighborsClassifier(settings["k"], metric=settings["metric"], weights=settings["weights"])
    said = oracle.fit(train.matrix, train.table["label"].astype(str)).predict(test.matrix)
    evaluation = read_evaluations(folder / "metrics.json")["test"]
    assert evaluation.overall["accuracy"].value == np.mean(said == test.table["label"].to_numpy())
    assert evaluation.overall["accuracy"].ci_low < evaluation.overall["accuracy"].value
    predictions = read_predictions(folder / "predictions-test.parquet")
    assert predictions.table["image_path"].tolist() == test.table["image_path"].tolist()


def test_the_opening_of_test_is_written_down_once(context):
    before = len(read_ledger(context.study_dir))
    inspect_neighbors(context)
    inspect_neighbors(context)
    openings = read_ledger(context.study_dir)[before:]
    assert len(openings) == 1
    assert openings[0].predictions == "tiny/inspection/neighbors/predictions-test.parquet"
    assert openings[0].predictions_sha256 and "k-NN" in openings[0].reason


def test_a_shut_test_split_stays_shut(context):
    before = len(read_ledger(context.study_dir))
    inspect_neighbors(replace(context, test_opened=False))
    assert len(read_ledger(context.study_dir)) == before
    assert set(read_evaluations(folder_of(context) / "metrics.json")) == {"val", "seen"}
    assert not (folder_of(context) / "predictions-test.parquet").exists()


def test_the_index_holds_training_images_only_and_knows_what_was_seen(context):
    inspect_neighbors(context)
    index = read_index(folder_of(context) / "index.arrow")
    train, val = context.manifest.split("train"), context.manifest.split("val")
    assert index.table["image_path"].tolist() == train["image_path"].tolist()
    assert set(index.seen.table["image_path"]) == set(train["image_path"]) | set(val["image_path"])
    one = val.iloc[0]
    assert "chosen on" in index.seen.reasons([one["sha256"]], [""], [""])[0]
    test = context.manifest.split("test")
    assert not any(index.seen.reasons(test["sha256"], [""] * len(test), test["patient_id"]))


def test_a_recipe_with_neighbours_ends_in_their_figures(make_data, tiny, tmp_path):
    recipe = replace(tiny, name="knn", neighbors=Neighbors(k=3, layer="hidden"), model=replace(tiny.model, hidden=(6,)))
    run = hilum.train(recipe, make_data(per_class=30), out=tmp_path / "out", replicates=20, device="cpu")
    folder = run.run_dir / "inspection" / "neighbors"
    document = json.loads((folder / "neighbors.json").read_text())
    assert document["settings"]["k"] == 3 and document["index"]["width"] == 6
    assert set(read_evaluations(folder / "metrics.json")) == {"val", "seen"}
    environment = json.loads((run.run_dir / "environment.json").read_text())
    (note,) = [note for note in environment["notes"] if "k-NN" in note]
    assert "k = 3, euclidean" in note and "validation images" in note


def test_examples_name_neighbours_nearest_first(context):
    inspect_neighbors(context)
    examples = json.loads((folder_of(context) / "neighbors.json").read_text())["examples"]
    train = set(context.manifest.split("train")["image_path"])
    assert examples
    for each in examples:
        distances = [near["distance"] for near in each["neighbors"]]
        assert distances == sorted(distances) and {near["image_path"] for near in each["neighbors"]} <= train
