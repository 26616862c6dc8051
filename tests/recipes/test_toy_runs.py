"""Every recipe runs: on drawn pictures, small, without pre-trained weights. The largest networks take one step."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from hilum.data.predictions import read_predictions
from hilum.errors import RecipeError
from hilum.models import create_model
from hilum.models.stages import select_stages, set_trained_stages
from hilum.recipes.registry import RECIPES
from hilum.workflow.autoencoder import run_autoencoder
from hilum.workflow.network import refuse_anomaly
from hilum.workflow.run import run_recipe

LARGE = {"a-vgg16": 134_272_835, "a-vit-b16": 85_800_963, "b-simplecnn-original": 134_953_603}
"""Recipes of networks whose parameters are counted, with three classes; the pictures of the last keep their side."""

RUN = [name for name, recipe in RECIPES.items() if recipe.anomaly is None and name not in ("a-vgg16", "a-vit-b16")]


@pytest.mark.parametrize("name", RUN)
def test_a_recipe_runs(name, drawn, options, shrink):
    study_dir, manifest = drawn
    recipe, said = shrink(name), []
    frozen = {"frozen-random"}  # without the weights, what is frozen is random: only a test wants that
    outcome = run_recipe(
        recipe, manifest, study_dir, options, time_budget=None, on_step=lambda *_: None, say=said.append, allow=frozen
    )
    assert outcome.status in ("done", "collapsed"), outcome.sentence
    predictions = read_predictions(study_dir / name / "predictions-val.parquet")
    assert set(predictions.table["image_path"]) == set(manifest.split("val")["image_path"])
    environment = json.loads((study_dir / name / "environment.json").read_text())
    assert [phase["train"] for phase in environment["phases"]] == [phase.train for phase in recipe.phases]
    assert environment["trained_parameters"] == sum(stage[2] for stage in environment["phases"][-1]["stages"])
    assert said[0].startswith(f"  phase 1 of {len(recipe.phases)} trains ")
    assert (recipe.neighbors is not None) == any("k-NN" in line for line in said)
    views = 3 if name in ("b-simplecnn-tta1", "b-simplecnn-tta2") else len(predictions.about["tta"])
    assert len(predictions.about["tta"]) == views
    shutil.rmtree(study_dir / name)


@pytest.mark.parametrize("name", LARGE)
def test_a_large_network_has_its_parameters_and_takes_a_step(name):
    recipe, three = RECIPES[name], 3
    side = recipe.preprocessing.image_size
    model = create_model(
        recipe.model.name,
        num_classes=three,
        in_channels=recipe.preprocessing.channels,
        image_size=side,
        dropout=recipe.model.dropout,
        hidden=recipe.model.hidden,
    )
    assert sum(parameter.numel() for parameter in model.parameters()) == LARGE[name]
    set_trained_stages(model, select_stages(model, recipe.phases[0].train), allow={"frozen-random"})
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    before = trained[-1].detach().clone()
    images = torch.rand(2, recipe.preprocessing.channels, side, side)
    torch.nn.functional.cross_entropy(model.train()(images), torch.tensor([0, 2])).backward()
    torch.optim.SGD(trained, lr=0.1).step()
    assert not torch.equal(trained[-1], before)


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.anomaly is not None])
def test_an_anomaly_detector_is_not_trained_as_a_classifier(name):
    with pytest.raises(RecipeError, match="anomaly detector"):
        refuse_anomaly(RECIPES[name])


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.anomaly is not None])
def test_an_anomaly_recipe_runs(name, drawn, options, shrink):
    study_dir, manifest = drawn
    recipe = shrink(name)
    recipe = replace(recipe, anomaly=replace(recipe.anomaly, quantile=0.3))  # there are few normal pictures
    found, scores, environment = run_autoencoder(
        recipe, manifest, study_dir, options, time_budget=None, on_step=lambda *_: None
    )
    assert environment["epochs_done"] == 1 and set(scores.names) == {"error", "density"}
    assert found.document["own_rule"] == RECIPES[name].anomaly.score
    shutil.rmtree(study_dir / name)
