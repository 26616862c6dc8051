"""The networks that hilum knows by name, and `create_model`. Reading this needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.errors import RecipeError

if TYPE_CHECKING:
    from hilum.models.classifier import Architecture, Backbone, Classifier

WEIGHTS = ("none", "imagenet")


@dataclass(frozen=True)
class ModelEntry:
    """One network in the registry.

    Args:
        name: what the user types.
        family: `cnn`, `vit`, or timm's family.
        description: one sentence.
        image_size: side that it is usually run at, pixels.
        in_channels: channels that it is usually run with.
        parameters: of the backbone, at that size and with those channels; the head comes on top.
        build: (in_channels, image_size) -> Backbone; None = timm builds it, and has ImageNet weights for it.
    """

    name: str
    family: str
    description: str
    image_size: int
    in_channels: int
    parameters: int
    build: Callable[..., Backbone] | None = None


def _cnn(widths: Sequence[int], **arguments: Any) -> Backbone:
    from hilum.models.cnn import build_cnn

    return build_cnn(widths=widths, **arguments)


def _vit(**arguments: Any) -> Backbone:
    from hilum.models.vit import build_vit

    return build_vit(**arguments)


_ENTRIES = (
    ModelEntry(
        "cnn-small",
        "cnn",
        "residual CNN of five stages, made to learn from scratch on a CPU within a minute or two",
        image_size=112,
        in_channels=1,
        parameters=886_752,
        build=partial(_cnn, (32, 32, 64, 128, 192)),
    ),
    ModelEntry(
        "cnn-tiny",
        "cnn",
        "residual CNN of four stages, for tests and very small machines",
        image_size=112,
        in_channels=1,
        parameters=172_128,
        build=partial(_cnn, (16, 24, 48, 96)),
    ),
    ModelEntry(
        "vit-small-scratch",
        "vit",
        "vision transformer of six blocks, small enough to be trained from scratch on a CPU",
        image_size=224,
        in_channels=1,
        parameters=1_247_872,
        build=partial(_vit, patch_size=16, width=128, depth=6, heads=4),
    ),
    ModelEntry("mobilenetv2_100", "mobilenetv2", "MobileNetV2 (Sandler et al. 2018)", 224, 3, 2_223_872),
    ModelEntry("efficientnet_b0", "efficientnet", "EfficientNet-B0 (Tan and Le 2019)", 224, 3, 4_007_548),
    ModelEntry("resnet18", "resnet", "ResNet18 (He et al. 2016)", 224, 3, 11_176_512),
    ModelEntry("resnet50", "resnet", "ResNet50 (He et al. 2016)", 224, 3, 23_508_032),
    ModelEntry("resnet101", "resnet", "ResNet101 (He et al. 2016)", 224, 3, 42_500_160),
    ModelEntry("densenet121", "densenet", "DenseNet121 (Huang et al. 2017)", 224, 3, 6_953_856),
    ModelEntry("convnext_tiny", "convnext", "ConvNeXt-T (Liu et al. 2022)", 224, 3, 27_820_128),
    ModelEntry("vgg16", "vgg", "VGG16 (Simonyan and Zisserman 2015)", 224, 3, 134_260_544),
    ModelEntry("vit_base_patch16_224", "vit", "ViT-B/16 (Dosovitskiy et al. 2021)", 224, 3, 85_798_656),
)

MODELS: dict[str, ModelEntry] = {entry.name: entry for entry in _ENTRIES}
"""Name -> entry. Any other timm model goes by its own name."""


def list_models() -> list[dict[str, Any]]:
    """The registry as plain values, hilum's own networks first; timm's other names work as well.

    Returns:
        One row a network: `name, family, description, image_size, in_channels, parameters, weights` (`imagenet` where
        pre-trained ones exist, else `none`).
    """
    names = [field.name for field in fields(ModelEntry) if field.name != "build"]
    return [
        {name: getattr(entry, name) for name in names} | {"weights": "none" if entry.build else "imagenet"}
        for entry in MODELS.values()
    ]


def create_model(
    name: str,
    *,
    num_classes: int,
    in_channels: int = 3,
    image_size: int = 224,
    weights: str = "none",
    weights_dir: str | Path | None = None,
    dropout: float = 0.0,
    hidden: Sequence[int] = (),
    seed: int = 0,
) -> Classifier:
    """A network with a fresh head for K classes.

    Args:
        name: from `list_models()`, or any timm model (`convnext_tiny`, `vit_small_patch14_dinov2`).
        num_classes: K.
        in_channels: 1 or 3; a pre-trained colour stem is made grey by summing its filters.
        image_size: side of the square, pixels; only transformers are bound to it.
        weights: `imagenet` (the pre-trained weights that go by this name) or `none`.
        weights_dir: a folder of hub snapshots that is searched before `HILUM_WEIGHTS`, the hub's cache and the hub.
        dropout: see `Architecture`.
        hidden: widths of fully connected ReLU layers between the embedding and the classes.
        seed: of every random parameter; torch's own random state is neither used nor changed.

    Raises:
        RecipeError: an unknown name (the nearest right one is named), or a number that the network cannot have.
        WeightsNotFound: the weights are nowhere: there is no fall back to random ones.
    """
    from hilum.models.classifier import Architecture

    architecture = Architecture(name, num_classes, in_channels, image_size, dropout, tuple(hidden))
    if weights not in WEIGHTS:
        raise RecipeError("model.weights", expected=f"one of {', '.join(WEIGHTS)}", found=str(weights))
    return _build(architecture, seed, weights=weights, weights_dir=weights_dir)


def rebuild(architecture: Architecture) -> Classifier:
    """The network that a model file describes, with arbitrary parameters; needs no pre-trained weights."""
    return _build(architecture, 0, weights="none", weights_dir=None)


def _build(architecture: Architecture, seed: int, *, weights: str, weights_dir: str | Path | None) -> Classifier:
    from hilum.models.classifier import Classifier

    with _random_numbers_from(seed):
        backbone = _backbone(architecture, weights, weights_dir)
        return Classifier(replace(architecture, model_args=dict(backbone.model_args)), backbone)


def _backbone(architecture: Architecture, weights: str, weights_dir: str | Path | None) -> Backbone:
    channels, size = architecture.in_channels, architecture.image_size
    entry = MODELS.get(architecture.name)
    if entry is None or entry.build is None:
        from hilum.models.pretrained import build_timm

        return build_timm(
            architecture.name,
            in_channels=channels,
            image_size=size,
            weights=weights,
            weights_dir=weights_dir,
            model_args=architecture.model_args,
        )
    if weights != "none":
        raise RecipeError(
            f"model.weights of {entry.name}",
            expected="none: it is trained from scratch",
            found=weights,
            way_out="Pre-trained networks are those of timm, such as mobilenetv2_100.",
        )
    return entry.build(in_channels=channels, image_size=size)


@contextmanager
def _random_numbers_from(seed: int) -> Iterator[None]:
    """torch's CPU generator starts at `seed` within and is as it was afterwards; networks are built on the CPU."""
    import torch

    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)
