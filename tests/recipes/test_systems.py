"""The rows of the reference systems: there, and what the reports say of them."""

import pytest
import torch
import torchvision

from hilum.models import create_model
from hilum.recipes.covid_small import LAYERS_FROM_136
from hilum.recipes.registry import FILES, RECIPES, header_of
from hilum.training.stage_plan import stages_of_phases
from hilum.workflow.network import phases_of, views_of

ROWS = (
    "a-cnn-2conv",
    "a-cnn-5conv",
    "a-resnet50",
    "a-resnet50-weight-decay",
    "a-efficientnet-b0",
    "a-efficientnet-b0-adamw",
    "a-mobilenetv2",
    "a-vgg16",
    "a-vit-scratch",
    "a-vit-b16",
    "b-simplecnn-original",
    "b-simplecnn-undersampled",
    "b-simplecnn-oversampled",
    "b-simplecnn-class-weights",
    "b-simplecnn-small",
    "b-resnet50",
    "b-simplecnn-tta1",
    "b-simplecnn-tta2",
    "c-vgg16-binary",
    "c-vgg16-scheduler",
    "c-vgg16-sgd",
    "c-vgg16-three-class",
    "c-knn-binary",
    "c-knn-three-class",
    "c-anomaly",
    "d-vanilla-cnn",
    "d-mobilenetv2-frozen",
    "d-mobilenetv2-frozen-135",
    "d-mobilenetv2-unfrozen",
    "e-resnet101-binary",
    "e-resnet18-adapter",
    "e-resnet101-three-class",
    "e-knn-binary",
    "e-knn-three-class",
    "e-anomaly",
)


def test_every_row_is_a_recipe_and_its_file_says_what_was_reported():
    assert set(ROWS) <= set(RECIPES)
    for name in ROWS:
        header = header_of(name)
        assert name in header and name[0].upper() in header.splitlines()[0]
        for part in ("Source:", "Reported", "Ours:", "Differences:", "Command: hilum train ", "Cost:"):
            assert part in header, (name, part)


def test_the_command_of_a_header_names_a_recipe_of_its_file():
    for module in FILES[1:]:
        (line,) = [line for line in module.__doc__.splitlines() if line.startswith("Command: ")]
        assert line.split()[3] in {recipe.name for recipe in module.RECIPES}


def test_what_systems_a_and_d_trained_with():
    a, d = RECIPES["a-efficientnet-b0-adamw"], RECIPES["d-mobilenetv2-frozen-135"]
    assert (a.batch_size, a.balance) == (128, "undersampled")
    assert {(phase.optimiser, phase.weight_decay, phase.patience, phase.schedule) for phase in a.phases} == {
        ("adamw", 5e-4, 2, "cosine")
    }
    assert (d.phases[0].lr, d.phases[0].max_epochs, d.phases[0].patience, d.val_fraction) == (1e-6, 500, 30, 0.25)
    assert (d.model.output, d.model.hidden, d.model.dropout) == ("sigmoid", (128,), 0.5)


def test_the_first_135_keras_layers_are_those_of_torchvision():
    model = create_model("mobilenetv2_100", num_classes=2, hidden=(128,), output="sigmoid")
    (stages,) = stages_of_phases(model, phases_of(RECIPES["d-mobilenetv2-frozen-135"]))
    head = sum(parameter.numel() for parameter in model.head.parameters())
    features = torchvision.models.mobilenet_v2().features
    expansion, *rest = features[16].conv
    trained = torch.nn.ModuleList([expansion[1], *rest, features[17], features[18]])
    assert stages.trained - head == sum(parameter.numel() for parameter in trained.parameters())
    assert "blocks.5 (in part)" in str(stages) or "blocks.5 " in str(stages)
    assert LAYERS_FROM_136[-1] == "head"


def test_both_policies_of_system_b():
    first, second = (views_of(RECIPES[f"b-simplecnn-tta{number}"].tta) for number in (1, 2))
    assert [len(view.steps) for view in first] == [len(view.steps) for view in second] == [0, 2, 2]
    rotation, affine = first[1].steps
    assert rotation.rotation == 10 and not rotation.shear
    assert all((affine.rotation, affine.shift, affine.zoom, affine.shear))
    assert first[2].steps[0].equalise == 1 and first[2].steps[1].flip == 0.5
    assert second[1].steps[1].flip == 0.5 and second[2].steps[0].equalise == 1 and second[2].steps[1].rotation == 10


@pytest.mark.parametrize(("name", "balance"), [("original", "as-is"), ("class-weights", "class-weights")])
def test_system_b_differs_in_balance_alone(name, balance):
    recipe = RECIPES[f"b-simplecnn-{name}"]
    assert recipe.balance == balance and recipe.augmentation.flip == 0
    assert (recipe.phases[0].lr, recipe.phases[0].weight_decay) == (1e-4, 5e-5)
