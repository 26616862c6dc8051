"""The target layer of every family in the registry."""

import numpy as np
import pytest
import torch

from hilum.errors import RecipeError
from hilum.inspection.cam.maps import compute_maps
from hilum.inspection.cam.target import find_target
from hilum.models import MODELS, create_model
from hilum.transforms import Preprocessing

EXPECTED = {
    "cnn-small": ("blocks.2", 7),  # at its 112 pixels the last block has 4 cells a side
    "cnn-tiny": ("blocks.2", 7),
    "cnn-2conv": ("blocks.1", 112),
    "cnn-5conv": ("blocks.4", 7),
    "vit-small-scratch": ("blocks.5.norm1", 14),
    "simplecnn": ("blocks.1", 32),
    "simplecnn-small": ("blocks.3", 8),
    "vgg16-flatten": ("block5", 7),
    "vanilla-cnn": ("blocks.3", 7),
    "resnet18-adapter": ("layer4", 7),
    "mobilenetv2_100": ("conv_head", 7),
    "efficientnet_b0": ("conv_head", 7),
    "resnet18": ("layer4", 7),
    "resnet50": ("layer4", 7),
    "resnet101": ("layer4", 7),
    "densenet121": ("norm5", 7),
    "convnext_tiny": ("stages.3", 7),
    "vgg16": ("block5", 7),
    "vit_base_patch16_224": ("blocks.11.norm1", 14),
    "vit_small_patch14_dinov2": ("blocks.11.norm1", 16),
    **{name: ("norm5", 7) for name in MODELS if name.startswith("xrv-densenet")},
    "xrv-resnet50-res512-all": ("layer4", 16),
}
WITH_CLASSES = [name for name, entry in MODELS.items() if entry.num_classes]
SMALL = {"vanilla-cnn": 96, "vit_small_patch14_dinov2": 56}


def test_no_network_of_the_registry_is_left_out():
    assert set(EXPECTED) == set(WITH_CLASSES)


@pytest.mark.parametrize("name", WITH_CLASSES)
def test_every_network_has_its_layer_and_a_map_of_a_useful_size(name):
    if name.startswith("xrv-"):
        pytest.importorskip("torchxrayvision", reason="needs the extra hilum[xrv]")
    entry = MODELS[name]
    with torch.device("meta"):  # sizes without memory
        model = create_model(name, num_classes=2, in_channels=entry.in_channels, image_size=entry.image_size)
        target = find_target(model)
    assert (target.name, target.cells) == (EXPECTED[name][0], (EXPECTED[name][1],) * 2)


FAMILIES = {entry.family: name for name, entry in reversed(MODELS.items()) if entry.num_classes and name in EXPECTED}
# The smallest of each family; vgg16 by itself has 134 million parameters in its fully connected layers.
FAMILIES |= {"vgg": "vgg16-flatten", "resnet": "resnet18", "xrv": "xrv-densenet121-res224-all"}


@pytest.mark.parametrize("name", [*FAMILIES.values(), "vit_small_patch14_dinov2"])
def test_every_family_gives_a_map_that_depends_on_picture_and_class(name):
    if name.startswith("xrv-"):
        pytest.importorskip("torchxrayvision", reason="needs the extra hilum[xrv]")
    side, channels = SMALL.get(name, 64), MODELS[name].in_channels
    model = create_model(name, num_classes=3, in_channels=channels, image_size=side, seed=2)
    pictures = np.random.default_rng(0).integers(0, 255, (2, side, side), dtype=np.uint8)
    preprocessing = Preprocessing(image_size=side, normalisation="half", channels=channels)
    maps = [
        compute_maps(model, pictures, preprocessing, target=target, methods=("layercam",)).maps["layercam"]
        for target in (0, 1)
    ]
    assert np.isfinite(maps).all() and maps[0].shape == maps[1].shape and min(maps[0].shape[1:]) > 1
    assert maps[0].any() and not np.allclose(maps[0], maps[1], rtol=1e-3, atol=0)
    assert not np.allclose(maps[0][0], maps[0][1], rtol=1e-3, atol=0)


@pytest.mark.parametrize("name", [*FAMILIES.values(), "vit_small_patch14_dinov2"])
def test_roll_out_is_for_the_families_that_attend_and_refused_by_the_others(name):
    if name.startswith("xrv-"):
        pytest.importorskip("torchxrayvision", reason="needs the extra hilum[xrv]")
    side, channels = SMALL.get(name, 64), MODELS[name].in_channels
    model = create_model(name, num_classes=2, in_channels=channels, image_size=side, seed=2)
    pictures = np.random.default_rng(0).integers(0, 255, (2, side, side), dtype=np.uint8)
    preprocessing = Preprocessing(image_size=side, normalisation="half", channels=channels)
    if "vit" not in name:
        with pytest.raises(RecipeError):
            compute_maps(model, pictures, preprocessing, methods=("rollout",))
        return
    cam = compute_maps(model, pictures, preprocessing, methods=("rollout",)).maps["rollout"]
    assert (cam > 0).all() and not np.allclose(cam[0], cam[1], rtol=1e-3, atol=0)
