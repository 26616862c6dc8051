import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hilum.errors import RecipeError
from hilum.models import MODELS, create_model, list_models
from hilum.models.stages import stage_table

SCRATCH = [entry.name for entry in MODELS.values() if entry.weights == "none" and entry.num_classes]
TWINS = [name for name in MODELS if name.startswith("xrv-densenet121")][1:]
"""The same network as `xrv-densenet121-res224-all`, with other weights."""
NETWORKS = [entry.name for entry in MODELS.values() if entry.num_classes and entry.name not in TWINS]
SMALLEST = {"vanilla-cnn": 96, "simplecnn": 32, "cnn-2conv": 32}
"""Sides for tests: the vanilla CNN pools without padding, the other two are all fully connected layer."""


def small(name, **arguments):
    given = {"num_classes": 3, "in_channels": 1, "image_size": SMALLEST.get(name, 64), **arguments}
    return create_model(name, **given)


@pytest.mark.parametrize("name", [*SCRATCH, "resnet18-adapter"])
def test_our_networks_keep_the_one_signature(name):
    model = small(name, hidden=(7,), dropout=0.2).eval()
    side = model.image_size
    image = torch.randn(2, 1, side, side)
    embedding = model.embed(image)
    assert embedding.shape == (2, model.embedding_dim)
    torch.testing.assert_close(model.classify(embedding), model(image))
    assert model(image).shape == (2, 3)
    assert (model.name, model.num_classes, model.in_channels) == (name, 3, 1)
    assert list(model.stages)[-1] == "head"
    assert sum(row["parameters"] for row in stage_table(model)) == sum(each.numel() for each in model.parameters())


@pytest.mark.parametrize("size", [64, 100, 112, 224, 512])
@pytest.mark.parametrize("name", ["cnn-small", "cnn-tiny"])
def test_our_cnns_take_any_image_size(name, size):
    assert create_model(name, num_classes=2, in_channels=1, image_size=size)(torch.zeros(1, 1, size, size)).shape == (
        1,
        2,
    )


def test_the_vit_wants_whole_patches():
    with pytest.raises(RecipeError, match="multiple of the 16-pixel patch, found 100"):
        create_model("vit-small-scratch", num_classes=2, in_channels=1, image_size=100)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_registry_states_the_parameters_that_a_network_has(name):
    if name.startswith("xrv-"):
        pytest.importorskip("torchxrayvision", reason="needs the extra hilum[xrv]")
    entry = MODELS[name]
    with torch.device("meta"):  # sizes without memory: two of them have 134 million
        model = create_model(
            name,
            num_classes=entry.num_classes,
            in_channels=entry.in_channels,
            image_size=entry.image_size,
            output=entry.output,
        )
        image = torch.empty(1, entry.in_channels, entry.image_size, entry.image_size)
        assert model.eval()(image).shape == (1, entry.num_classes)
        assert model.embed(image).shape == (1, model.embedding_dim)
    assert sum(parameter.numel() for parameter in model.parameters()) == entry.parameters


def test_networks_that_differ_by_their_weights_have_as_many_parameters():
    assert len(TWINS) == 6
    assert {MODELS[name].parameters for name in TWINS} == {MODELS["xrv-densenet121-res224-all"].parameters}


def test_the_systems_counts_are_exact():
    """As the reports print them."""
    wanted = {"simplecnn": 134_953_603, "simplecnn-small": 10_075_011, "vanilla-cnn": 1_045_441}
    assert {name: MODELS[name].parameters for name in wanted} == wanted


def test_listing_says_which_networks_have_weights():
    rows = {row["name"]: row for row in list_models()}
    assert rows["cnn-small"]["weights"] == "none" and rows["mobilenetv2_100"]["weights"] == "imagenet"
    assert rows["xrv-densenet121-res224-all"]["weights"] == "pretrained"
    assert rows["mobilenetv2_100"]["systems"] == ["A", "D"]
    assert list(rows["cnn-small"]) == [
        "name", "family", "description", "parameters", "image_size", "in_channels", "num_classes", "output", "weights",
        "systems",
    ]  # fmt: skip


def test_listing_and_reading_headers_need_no_torch():
    code = (
        "import sys, hilum.models as room; room.list_models(), room.find_local_weights(); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("name", [*SCRATCH, "resnet18-adapter", "test_resnet"])
def test_parameters_depend_on_the_seed_and_on_nothing_else(name):
    def parameters(seed):
        model = small(name, seed=seed)
        return torch.cat([each.flatten() for each in model.parameters()])

    torch.manual_seed(5)
    first, state = parameters(1), torch.get_rng_state()
    torch.manual_seed(6)
    assert torch.equal(first, parameters(1))
    assert not torch.equal(first, parameters(2))
    torch.manual_seed(5)
    assert torch.equal(state, torch.get_rng_state()), "building a network used the global random numbers"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("cnn_small", "cnn-small"),
        ("CNN-tiny", "cnn-tiny"),
        ("resnet5o", "resnet50"),
        ("EfficientNet-B0", "efficientnet_b0"),
        ("convnext_tinny", "convnext_tiny"),
        ("vit_small_patch14_dinov", "vit_small_patch14_dinov2"),
    ],
)
def test_a_typo_is_answered_with_the_nearest_name(typed, meant):
    with pytest.raises(RecipeError, match=f"Did you mean {meant}\\?"):
        create_model(typed, num_classes=2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_classes": 1},
        {"in_channels": 2},
        {"image_size": 5},
        {"dropout": 1.0},
        {"hidden": (0,)},
        {"weights": "imagnet"},
        {"output": "softmaxx"},
    ],
)
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(RecipeError, match=next(iter(wrong))):
        create_model("cnn-tiny", **{"num_classes": 2, **wrong})


@pytest.mark.parametrize("name", SCRATCH)
@pytest.mark.parametrize("weights", ["imagenet", "pretrained"])
def test_networks_from_scratch_have_no_weights(name, weights):
    with pytest.raises(RecipeError, match="trained from scratch"):
        create_model(name, num_classes=2, weights=weights)


def test_weights_that_are_not_of_imagenet_are_not_called_so():
    with pytest.raises(RecipeError, match=r"expected pretrained or none.*found imagenet"):
        create_model("xrv-densenet121-res224-all", num_classes=2, in_channels=1, weights="imagenet")


def test_the_autoencoder_is_no_classifier():
    with pytest.raises(RecipeError, match="create_autoencoder"):
        create_model("autoencoder", num_classes=2, in_channels=1)


DOCUMENT = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_table_in_the_documentation_is_the_registry():
    found = [
        [cell.strip(" `") for cell in line.strip("| \n").split(" | ")]
        for line in DOCUMENT.read_text().replace("|  |", "| - |").splitlines()
        if line.startswith("| `") and line.count(" | ") == 6
    ]
    expected = []
    for row in list_models():
        shape = f"{row['image_size']}x{row['image_size']}x{row['in_channels']}"
        classes = f"{row['num_classes'] or '-'}" + (", one output" if row["output"] == "sigmoid" else "")
        systems = " ".join(row["systems"]) or "-"
        facts = [row["name"], f"{row['parameters']:,}", shape, classes, row["weights"], systems]
        expected.append([*facts, row["description"].replace("`", "")])
    assert [[cell.replace("`", "") for cell in row] for row in found] == expected
