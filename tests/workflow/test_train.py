"""One recipe, as a library user trains it: a run folder, folds and seeds, going on after a kill."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import hilum
from hilum.data.manifest import read_manifest
from hilum.data.predictions import read_predictions
from hilum.errors import DataError, RecipeError, TrainingError, UsageError
from hilum.evaluation import read_ledger
from hilum.recipes.schema import Anomaly, Augmentation, Policy, View
from hilum.training.module import TrainingModule
from hilum.workflow.folds import make_folds
from hilum.workflow.options import Options
from hilum.workflow.train import resume_run


@pytest.fixture
def train(make_data, tmp_path, tiny):
    """Trains on little pictures."""

    def train(recipe=tiny, **options):
        data = tmp_path / "data" if (tmp_path / "data").exists() else make_data()
        return hilum.train(recipe, data, **{"out": tmp_path / "out", "replicates": 50, **options})

    return train


class Listener:
    """Remembers what a user would have read."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)

    warn = say

    def stage(self, name):
        from hilum.workflow.voice import Silent

        return Silent().stage(name)


def test_a_run_folder_and_the_test_split_stays_shut(train, tmp_path):
    voice = Listener()
    run = train(voice=voice)
    assert run.run_dir == tmp_path / "out/tiny" and run.model_path.exists()
    assert not (run.run_dir / "predictions-test.parquet").exists() and read_ledger(tmp_path / "out") == ()
    assert run.validation.overall["accuracy"].value > 0.8
    assert "validation images" in run.headline and "the test split was not opened" in run.headline
    assert any("trains all stages: 172," in line for line in voice.lines)
    assert any("Test-time augmentation" in line for line in voice.lines)


def test_the_gain_of_test_time_augmentation_is_that_of_the_predictions(train, tiny):
    run = train(replace(tiny, tta=("plain", "flip")))
    plain, both = json.loads((run.run_dir / "environment.json").read_text())["tta"]
    assert (plain["policy"], both["policy"], both["chosen"]) == ("plain", "recipe", True)
    predictions = read_predictions(run.run_dir / "predictions-val.parquet")
    assert both["accuracy"] == pytest.approx((predictions.decisions == predictions.target).mean())
    assert both["accuracy_gain"] == pytest.approx(both["accuracy"] - plain["accuracy"])
    assert both["accuracy_gain_low"] <= both["accuracy_gain"] <= both["accuracy_gain_high"]


def test_the_best_of_several_policies_is_taken_on_validation(train, tiny):
    black = View("noise", (Augmentation(noise=1.0, blur=9.0),))
    recipe = replace(tiny, tta_candidates=(Policy("bad", (black,)), Policy("flipped", ("plain", "flip"))))
    run = train(recipe)
    environment = json.loads((run.run_dir / "environment.json").read_text())
    rows = {row["policy"]: row for row in environment["tta"]}
    best = min(rows.values(), key=lambda row: row["log_loss"])
    assert best["chosen"] and not rows["bad"]["chosen"] and sum(row["chosen"] for row in rows.values()) == 1
    assert any("noise" in note for note in environment["notes"])
    assert read_predictions(run.run_dir / "predictions-val.parquet").about["tta"] == best["views"]


def test_a_random_view_is_the_same_for_the_predictor(train, tiny):
    recipe = replace(tiny, tta=("plain", View("turned", (Augmentation(rotation=20),))))
    run = train(recipe)
    predictions = read_predictions(run.run_dir / "predictions-val.parquet").table
    manifest = read_manifest(run.run_dir.parent / "manifest.parquet")
    found = hilum.load(run.model_path).predict(manifest.path(predictions["image_path"].iloc[5]))
    raw = predictions[["logit_normal", "logit_viral"]].to_numpy()[5]
    temperature = hilum.load(run.model_path).header.extras.get("temperature", 1.0)
    expected = torch.softmax(torch.tensor(raw / temperature), 0)[1].item()
    assert min(abs(found.probs["viral"] - each) for each in (expected, predictions["prob_viral"].iloc[5])) < 1e-4


def test_a_killed_run_goes_on_from_its_folder_alone(train, tmp_path, monkeypatch):
    whole = hilum.load(train(out=tmp_path / "whole").model_path).model.state_dict()
    step, seen = TrainingModule.training_step, []

    def dies(self, batch, batch_idx):
        seen.append(1)
        if len(seen) == 12:
            raise SystemExit
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", dies)
    with pytest.raises(SystemExit):
        train(out=tmp_path / "killed")
    monkeypatch.setattr(TrainingModule, "training_step", step)
    run = resume_run(tmp_path / "killed/tiny")
    resumed = hilum.load(run.model_path).model.state_dict()
    assert all(torch.equal(value, whole[name]) for name, value in resumed.items())
    with pytest.raises(UsageError, match=r"begun\.json"):
        resume_run(tmp_path / "killed/cache")


def test_folds_hold_whole_patients_and_every_image_once(train, tmp_path):
    train(time_budget=60.0)
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    folds = make_folds(manifest, 4, Options())
    tables = [fold.table for fold in folds]
    held = pd.concat([table[table["split"] == "fold"] for table in tables])
    pool = manifest.table[manifest.table["split"] != "test"]
    assert sorted(held["image_path"]) == sorted(pool["image_path"])
    for table in tables:
        sides = table.groupby("patient_id")["split"].nunique()
        assert (sides == 1).all()
        assert set(table["split"]) == {"train", "val", "fold", "test"}
        shares = table[table["split"] == "fold"]["label"].value_counts(normalize=True)
        assert shares.min() > 0.35
    with pytest.raises(DataError, match="patients for 60 folds"):
        make_folds(manifest, 60, Options())


def test_pooled_figures_and_spread_over_seeds(train, tmp_path, tiny):
    short = replace(tiny, phases=(replace(tiny.phases[0], max_epochs=3),))
    result = train(short, folds=2, seeds=2)
    assert list(result.runs["seed"]) == [0, 0, 1, 1] and set(result.by_seed) == {0, 1}
    for seed, evaluation in result.by_seed.items():
        pooled = read_predictions(result.folder / f"predictions-seed-{seed}.parquet")
        parts = [
            read_predictions(tmp_path / "out" / run / "predictions-fold.parquet")
            for run in result.runs["run"][result.runs["seed"] == seed]
        ]
        assert len(pooled) == sum(map(len, parts)) == evaluation.images
        assert evaluation.overall["accuracy"].value == pytest.approx((pooled.decisions == pooled.target).mean())
    accuracies = [each.overall["accuracy"].value for each in result.by_seed.values()]
    assert result.spread["accuracy"]["sd"] == pytest.approx(np.std(accuracies, ddof=1))
    document = json.loads((result.folder / "folds.json").read_text())
    assert document["spread"] == result.spread and len(document["runs"]) == 4
    assert "2 folds" in result.headline and "2 seeds" in result.headline
    assert not list((tmp_path / "out").rglob("predictions-test.parquet"))


def test_seeds_without_folds_share_the_validation_split(train, tiny):
    short = replace(tiny, phases=(replace(tiny.phases[0], max_epochs=2),))
    result = train(short, seeds=2)
    assert {evaluation.split for evaluation in result.by_seed.values()} == {"val"}
    assert result.runs["accuracy"].tolist() == [each.overall["accuracy"].value for each in result.by_seed.values()]


def test_the_validation_share_is_the_recipes_unless_another_is_given(train, tmp_path, tiny):
    asks = replace(tiny, val_fraction=0.4)
    train(asks, out=tmp_path / "own")
    train(asks, out=tmp_path / "given", val_fraction=0.25)
    shares = [len(read_manifest(tmp_path / name / "manifest.parquet").split("val")) for name in ("own", "given")]
    assert shares[0] > 1.4 * shares[1]


def test_a_folder_with_runs_on_another_split_is_refused(train, tmp_path):
    train()
    with pytest.raises(UsageError, match="Give another folder with --out"):
        train(seed=1)
    shutil.rmtree(tmp_path / "out/tiny")
    assert train(seed=1).validation


def test_what_cannot_be_trained(train, tiny, make_data, tmp_path):
    with pytest.raises(RecipeError, match="an autoencoder in one phase"):
        train(replace(tiny, anomaly=Anomaly()))
    with pytest.raises(TrainingError, match="sigmoid"):
        three = make_data("three", per_class=12, labels=("normal", "bacterial", "viral"))
        single = replace(tiny, model=replace(tiny.model, output="sigmoid"))
        hilum.train(single, three, out=tmp_path / "single", replicates=20)
    with pytest.raises(UsageError, match="2 folds or more"):
        train(folds=1)
