"""How the reference systems froze their networks, against torchvision's networks and counting."""

import pytest
import torch
import torchvision
from torch import nn

from hilum.models import create_model
from hilum.models.stages import select_stages, set_trained_stages, stage_table

UP_TO_KERAS_LAYER_135 = (
    "blocks.5.2.bn1,blocks.5.2.conv_dw,blocks.5.2.bn2,blocks.5.2.conv_pwl,blocks.5.2.bn3,blocks.6,conv_head,head"
)
"""System D, model 3, counted on 154 Keras layers; on 155 the border moves by one and `blocks.5.2` is trained whole."""


def on_meta(name, **arguments):
    """A network as if it had weights: sizes, no memory."""
    with torch.device("meta"):
        model = create_model(name, **{"num_classes": 2, **arguments})
    model.fresh = frozenset(name for name in model.fresh if name.startswith("head."))
    return model


def trained(model, selection):
    set_trained_stages(model, select_stages(model, selection))
    return {name for name, each in model.named_parameters() if each.requires_grad}


def numbers(model):
    return sum(row["trained_parameters"] for row in stage_table(model))


def mobilenet_head():
    return 1280 * 128 + 128 + 128 + 1


class TestMobileNetOfSystemD:
    """Global average pool, fully connected 128, ReLU, dropout 0.5, one sigmoid output; three states of freezing."""

    @pytest.fixture
    def model(self):
        return on_meta("mobilenetv2_100", hidden=(128,), dropout=0.5, output="sigmoid")

    @pytest.fixture
    def theirs(self):
        with torch.device("meta"):
            return torchvision.models.mobilenet_v2(weights=None).features

    def test_the_head(self, model):
        assert [type(each) for each in model.head] == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
        assert [tuple(each.weight.shape) for each in model.head if isinstance(each, nn.Linear)] == [
            (128, 1280),
            (1, 128),
        ]

    def test_the_same_backbone(self, model, theirs):
        ours = [tuple(each.shape) for each in model.backbone.parameters()]
        assert ours == [tuple(each.shape) for each in theirs.parameters()]

    def test_all_frozen(self, model):
        trained(model, "head")
        assert numbers(model) == mobilenet_head() == 164_097

    def test_nothing_frozen(self, model, theirs):
        trained(model, "all")
        assert numbers(model) == sum(each.numel() for each in theirs.parameters()) + mobilenet_head()

    def test_the_first_135_keras_layers_frozen(self, model, theirs):
        """`features[0]` to `features[15]` and the expansion convolution of `features[16]`."""
        theirs[:16].requires_grad_(False)
        theirs[16].conv[0][0].requires_grad_(False)
        wanted = [each.requires_grad for each in theirs.parameters()]
        names = trained(model, UP_TO_KERAS_LAYER_135)
        assert [each.requires_grad for each in model.backbone.parameters()] == wanted
        counted = sum(each.numel() for each in theirs.parameters() if each.requires_grad)
        assert counted == 1_052_480 and numbers(model) == counted + mobilenet_head()
        assert not any("conv_pw.weight" in name for name in names if name.startswith("backbone.blocks.5"))

    def test_the_border_lies_between_keras_layers_134_and_135(self, model):
        """Keras counts convolution, batch norm, activation, padding and addition as layers; 154 in all."""
        layers = ["input", "conv_stem", "bn1", "relu"]
        for stage, blocks in enumerate(model.backbone.blocks):
            for number, block in enumerate(blocks):
                layers += _keras_layers(f"blocks.{stage}.{number}", block)
        layers += ["conv_head", "bn2", "relu"]
        assert len(layers) == 154 and layers[134] == "blocks.5.2.conv_pw"
        names = trained(model, UP_TO_KERAS_LAYER_135)
        with_parameters = {name.rpartition(".")[0].removeprefix("backbone.") for name in names if "backbone" in name}
        assert with_parameters == {layer for layer in layers[135:] if not layer.endswith(("relu", "add", "pad"))}

    def test_with_155_layers_the_whole_block_is_trained(self, model):
        before = trained(model, UP_TO_KERAS_LAYER_135)
        after = trained(model, "blocks.5.2,blocks.6,conv_head,head")
        assert after - before == {"backbone.blocks.5.2.conv_pw.weight"} and before <= after

    def test_frozen_batch_norm_stays_in_evaluation_mode(self, model):
        trained(model, UP_TO_KERAS_LAYER_135)
        model.train()
        modes = {
            name: each.training for name, each in model.backbone.named_modules() if isinstance(each, nn.BatchNorm2d)
        }
        assert {name for name, training in modes.items() if training} == {
            *("blocks.5.2.bn1", "blocks.5.2.bn2", "blocks.5.2.bn3"),
            *("blocks.6.0.bn1", "blocks.6.0.bn2", "blocks.6.0.bn3", "bn2"),
        }


def _keras_layers(name, block):
    """The layers of one inverted residual block; the first block has no expansion."""
    strided = block.conv_dw.stride == (2, 2)
    depthwise = [*(["pad"] if strided else []), f"{name}.conv_dw"]
    if not hasattr(block, "conv_pwl"):
        return [*depthwise, f"{name}.bn1", "relu", f"{name}.conv_pw", f"{name}.bn2"]
    layers = [f"{name}.conv_pw", f"{name}.bn1", "relu", *depthwise, f"{name}.bn2", "relu", f"{name}.conv_pwl"]
    return [*layers, f"{name}.bn3", *(["add"] if block.has_skip else [])]


def test_the_resnet50_of_system_b_trains_the_last_bottleneck_and_the_head():
    model = on_meta("resnet50", num_classes=3, in_channels=1, hidden=(1024, 512))
    names = trained(model, "layer4.2,head")
    with torch.device("meta"):
        theirs = torchvision.models.resnet50(weights=None)
    bottleneck = sum(each.numel() for each in theirs.layer4[2].parameters())
    assert numbers(model) == bottleneck + (2048 + 1) * 1024 + (1024 + 1) * 512 + (512 + 1) * 3
    assert model.backbone.conv1.weight.shape == (64, 1, 7, 7) and "backbone.conv1.weight" not in names
    assert [each.out_features for each in model.head if isinstance(each, nn.Linear)] == [1024, 512, 3]
    model.train()
    assert model.backbone.layer4[2].training and not model.backbone.layer4[1].training


def test_the_resnet101_of_system_e_trains_its_last_layer_alone():
    model = on_meta("resnet101")
    assert trained(model, "head") == {"head.0.weight", "head.0.bias"} and numbers(model) == 2048 * 2 + 2
    rows = {row["name"]: row["trained"] for row in stage_table(model)}
    assert rows == {**dict.fromkeys(["stem", "layer1", "layer2", "layer3", "layer4"], False), "head": True}
