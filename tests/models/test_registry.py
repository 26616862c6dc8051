import subprocess
import sys

import pytest
import torch

from hilum.errors import RecipeError
from hilum.models import MODELS, create_model, list_models

OURS = [entry.name for entry in MODELS.values() if entry.build]


@pytest.mark.parametrize("name", OURS)
def test_our_networks_keep_the_one_signature(name):
    model = create_model(name, num_classes=3, in_channels=1, image_size=64, hidden=(7,), dropout=0.2).eval()
    image = torch.randn(2, 1, 64, 64)
    embedding = model.embed(image)
    assert embedding.shape == (2, model.embedding_dim)
    torch.testing.assert_close(model.classify(embedding), model(image))
    assert model(image).shape == (2, 3)
    assert (model.name, model.num_classes, model.in_channels, model.image_size) == (name, 3, 1, 64)


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


@pytest.mark.parametrize("name", list(MODELS))
def test_the_registry_states_the_parameters_that_a_network_has(name):
    entry = MODELS[name]
    with torch.device("meta"):  # sizes without memory: VGG16 has 134 million
        model = create_model(name, num_classes=2, in_channels=entry.in_channels, image_size=entry.image_size)
    assert sum(parameter.numel() for parameter in model.backbone.parameters()) == entry.parameters


def test_listing_says_which_networks_have_weights():
    rows = {row["name"]: row for row in list_models()}
    assert rows["cnn-small"]["weights"] == "none" and rows["mobilenetv2_100"]["weights"] == "imagenet"
    assert set(rows["cnn-small"]) == {
        "name", "family", "description", "image_size", "in_channels", "parameters", "weights",
    }  # fmt: skip


def test_listing_and_reading_headers_need_no_torch():
    code = (
        "import sys, hilum.models as room; room.list_models(), room.find_local_weights(); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("name", [*OURS, "test_resnet"])
def test_parameters_depend_on_the_seed_and_on_nothing_else(name):
    def parameters(seed):
        model = create_model(name, num_classes=2, in_channels=1, image_size=64, seed=seed)
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
    ],
)
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(RecipeError, match=next(iter(wrong))):
        create_model("cnn-tiny", **{"num_classes": 2, **wrong})


def test_our_networks_have_no_imagenet_weights():
    with pytest.raises(RecipeError, match="trained from scratch"):
        create_model("cnn-small", num_classes=2, weights="imagenet")
