"""timm networks with something added or taken away: a flattened VGG16, a ResNet18 behind a convolution."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from hilum.errors import RecipeError
from hilum.models.classifier import Backbone
from hilum.models.pretrained import build_timm

VGG_REDUCTION = 32
"""Five poolings by two."""


class FlattenedVGG(nn.Module):
    """Image `[B, C, S, S]` -> embedding `[B, 512 * (S / 32)^2]`: the convolutions of a VGG, flattened.

    Args:
        features: of timm's VGG, 512 channels at its end.
    """

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features

    def forward(self, image: Tensor) -> Tensor:
        return self.features(image).flatten(1)


def build_flattened_vgg(
    *, in_channels: int, image_size: int, weights: str = "none", weights_dir: str | Path | None = None
) -> Backbone:
    """VGG16 without its fully connected layers: 7x7x512 = 25,088 numbers at 224 pixels.

    Args:
        weights: `imagenet` (those of timm's `vgg16`) or `none`.

    Raises:
        RecipeError: an image of less than 32 pixels.
        WeightsNotFound: see `build_timm`.
    """
    side = image_size // VGG_REDUCTION
    if side < 1:
        raise RecipeError("model.image_size", expected=f"at least {VGG_REDUCTION} pixels", found=f"{image_size}")
    # timm's fully connected layers are cut off again; where nothing is loaded into them they are built one wide.
    narrow = {"mlp_ratio": 1 / 4096} if weights == "none" else None
    built = build_timm(
        "vgg16",
        in_channels=in_channels,
        image_size=image_size,
        weights=weights,
        weights_dir=weights_dir,
        model_args=narrow,
    )
    stages = {name: parts for name, parts in built.stage_parts.items() if name.startswith("block")}
    features: nn.Module = built.module.get_submodule("features")
    return Backbone(FlattenedVGG(features), 512 * side * side, stages, built.weights)


class AdaptedResNet(nn.Module):
    """Grey image `[B, 1, S, S]` -> embedding `[B, D]`: a convolution from one channel to three, then a colour network.

    The convolution starts as the repetition of the grey image, plus a little noise, so that a pre-trained network sees
    from the first step what it knows.

    Args:
        network: `[B, 3, S, S]` -> `[B, D]`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.adapter = nn.Conv2d(1, 3, kernel_size=3, padding=1)
        self.network = network
        self.adapter.bias = nn.Parameter(torch.zeros(3))
        nn.init.normal_(self.adapter.weight, std=0.01)
        with torch.no_grad():
            self.adapter.weight[:, :, 1, 1] += 1

    def forward(self, image: Tensor) -> Tensor:
        return self.network(self.adapter(image))


def build_adapted_resnet(
    *, in_channels: int, image_size: int, weights: str = "none", weights_dir: str | Path | None = None
) -> Backbone:
    """ResNet18 behind a convolution that makes three channels of one; the convolution is always fresh.

    Raises:
        RecipeError: three channels: there is nothing to adapt.
        WeightsNotFound: see `build_timm`.
    """
    if in_channels != 1:
        way_out = "Take resnet18 for colour images, or preprocessing.channels 1."
        raise RecipeError(
            "model.in_channels of resnet18-adapter", expected="1", found=f"{in_channels}", way_out=way_out
        )
    built = build_timm("resnet18", in_channels=3, image_size=image_size, weights=weights, weights_dir=weights_dir)
    inner = {name: tuple(f"network.{part}" for part in parts) for name, parts in built.stage_parts.items()}
    module = AdaptedResNet(built.module)
    return Backbone(module, built.embedding_dim, {"adapter": ("adapter",), **inner}, built.weights, fresh=("adapter",))
