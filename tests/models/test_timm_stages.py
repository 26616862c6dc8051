import pytest
import torch

from hilum.models import create_model
from hilum.models.stages import select_stages, set_trained_stages, stage_table

VIT = ["patch_embed", *(f"blocks.{number}" for number in range(12)), "norm", "head"]
FAMILIES = {
    "mobilenetv2_100": ["stem", *(f"blocks.{number}" for number in range(7)), "conv_head", "head"],
    "efficientnet_b0": ["stem", *(f"blocks.{number}" for number in range(7)), "conv_head", "head"],
    "mobilenetv3_small_100": ["stem", *(f"blocks.{number}" for number in range(6)), "conv_head", "head"],
    "resnet18": ["stem", "layer1", "layer2", "layer3", "layer4", "head"],
    "resnet50": ["stem", "layer1", "layer2", "layer3", "layer4", "head"],
    "vgg16": ["block1", "block2", "block3", "block4", "block5", "pre_logits", "head"],
    "vgg11_bn": ["block1", "block2", "block3", "block4", "block5", "pre_logits", "head"],
    "densenet121": [
        *("stem", "denseblock1", "transition1", "denseblock2", "transition2", "denseblock3", "transition3"),
        *("denseblock4", "norm5", "head"),
    ],
    "convnext_tiny": ["stem", "stages.0", "stages.1", "stages.2", "stages.3", "neck", "head"],
    "swin_tiny_patch4_window7_224": ["patch_embed", "layers.0", "layers.1", "layers.2", "layers.3", "norm", "head"],
    "vit_base_patch16_224": VIT,
    "vit_small_patch14_dinov2": VIT,
    "deit_tiny_distilled_patch16_224": VIT,
    "regnety_008": ["stem", "s1", "s2", "s3", "s4", "head"],
}


def on_meta(name):
    with torch.device("meta"):
        return create_model(name, num_classes=3)


@pytest.mark.parametrize(("name", "stages"), FAMILIES.items())
def test_families_fall_into_these_stages_and_lose_no_parameter(name, stages):
    model = on_meta(name)
    assert list(model.stages) == stages
    held = [id(each) for stage in model.stages.values() for each in stage.parameters()]
    assert sorted(held) == sorted(id(each) for each in model.parameters())


@pytest.mark.parametrize(
    "name", ["test_resnet", "test_efficientnet", "test_convnext", "test_vit", "test_byobnet", "test_nfnet"]
)
def test_an_image_passes_the_stages_in_their_order(name):
    model, passed = create_model(name, num_classes=3, in_channels=1, image_size=64).eval(), []
    for stage, view in model.stages.items():
        view.output.register_forward_hook(lambda *_, stage=stage: passed.append(stage))
    embedding = model.embed(torch.randn(2, 1, 64, 64))
    model.classify(embedding)
    assert passed == list(model.stages)
    assert embedding.shape == (2, model.embedding_dim)


def test_a_class_token_and_positions_belong_to_the_first_stage():
    model = on_meta("vit_base_patch16_224")
    first = {id(each) for each in model.stages["patch_embed"].parameters()}
    assert {id(model.backbone.cls_token), id(model.backbone.pos_embed)} <= first


@pytest.mark.parametrize("name", ["inception_v4", "inception_resnet_v2", "xcit_nano_12_p16_224", "hrnet_w18_small"])
def test_networks_of_other_kinds_have_stages_too(name):
    model = on_meta(name)
    assert len(model.stages) > 5
    assert {id(each) for each in model.parameters()} == {
        id(each) for stage in model.stages.values() for each in stage.parameters()
    }


SMALL = {
    **{"vit_small_patch14_dinov2": 28, "vit_base_patch16_224": 32, "deit_tiny_distilled_patch16_224": 32},
    **{"swin_tiny_patch4_window7_224": 56, "vgg16": 32, "vgg11_bn": 32, "inception_v4": 96},
}
"""Sides of a tiny picture that a network can still use; 64 for the others."""


@pytest.mark.parametrize(
    "name", [*FAMILIES, "inception_v4", "xcit_nano_12_p16_224", "maxvit_tiny_rw_224", "edgenext_small"]
)
def test_any_family_keeps_the_one_signature_at_tiny_sizes_and_with_one_channel(name):
    side = SMALL.get(name, 64)
    with torch.device("meta"):
        model = create_model(name, num_classes=3, in_channels=1, image_size=side, hidden=(8,)).eval()
        image = torch.empty(2, 1, side, side)
        embedding = model.embed(image)
        assert embedding.shape == (2, model.embedding_dim)
        assert model(image).shape == (2, 3)


@pytest.mark.parametrize(
    "name", ["densenet121", "convnext_tiny", "vit_small_patch14_dinov2", "swin_tiny_patch4_window7_224"]
)
def test_the_last_stages_of_any_family_can_be_trained_alone(name):
    model = on_meta(name)
    model.fresh = frozenset()  # as with weights
    set_trained_stages(model, select_stages(model, "last:2"))
    names = list(model.stages)[-3:]
    assert [row["name"] for row in stage_table(model) if row["trained"]] == names
    model.train()
    assert not any(each.training for each in next(iter(model.stages.values())).parts)
