"""The table of networks that hilum knows by name. Reading it needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hilum.errors import RecipeError

if TYPE_CHECKING:
    from hilum.models.classifier import Architecture, Backbone


@dataclass(frozen=True)
class ModelEntry:
    """One network in the registry.

    Args:
        name: what the user types.
        family: `cnn`, `vit`, `autoencoder`, `xrv`, or timm's family.
        description: one sentence, or name and source.
        parameters: of the whole network with the plain head, at `image_size`, `in_channels`, `num_classes`, `output`.
        image_size: side that it is usually run at, pixels.
        in_channels: channels that it is usually run with.
        num_classes: classes that the parameters are counted for; 0 = it has none.
        output: `softmax` or `sigmoid`, as it is usually run.
        weights: `imagenet`; `pretrained`, on something else; `none`, trained from scratch only.
        weights_from: the network whose snapshot holds the weights, where that is another.
        systems: letters of the reference systems that had it.
        build: (architecture, weights, weights_dir) -> Backbone; None = timm builds it.
    """

    name: str
    family: str
    description: str
    parameters: int
    image_size: int = 224
    in_channels: int = 3
    num_classes: int = 2
    output: Literal["softmax", "sigmoid"] = "softmax"
    weights: Literal["imagenet", "pretrained", "none"] = "imagenet"
    weights_from: str = ""
    systems: tuple[str, ...] = ()
    build: Callable[[Architecture, str, str | Path | None], Backbone] | None = None

    def to_json(self) -> dict[str, Any]:
        """Its values without the builder, for `hilum models --json`."""
        hidden = ("build", "weights_from")
        return {name: value for name, value in vars(self).items() if name not in hidden} | {"systems": [*self.systems]}


def _scratch(builder: str, architecture: Architecture, *_: Any, **arguments: Any) -> Backbone:
    """A builder that takes channels and size and knows no weights, from the module that only then is imported."""
    from hilum.models.cnn import build_cnn
    from hilum.models.vit import build_vit

    build: Any = {"cnn": build_cnn, "vit": build_vit}[builder]
    return build(in_channels=architecture.in_channels, image_size=architecture.image_size, **arguments)


def _plain(convs: Sequence[tuple], widths: Sequence[int], architecture: Architecture, *_: Any) -> Backbone:
    """Each of `convs` is a tuple of the arguments of `Conv`."""
    from hilum.models.plain_cnn import Conv, build_plain_cnn

    return build_plain_cnn(
        in_channels=architecture.in_channels,
        image_size=architecture.image_size,
        convs=[Conv(*each) for each in convs],
        widths=widths,
        dropout=architecture.dropout,
    )


def _adapted(builder: str, architecture: Architecture, weights: str, weights_dir: str | Path | None) -> Backbone:
    from hilum.models.adapted import build_adapted_resnet, build_flattened_vgg

    build = {"vgg16-flatten": build_flattened_vgg, "resnet18-adapter": build_adapted_resnet}[builder]
    return build(
        in_channels=architecture.in_channels,
        image_size=architecture.image_size,
        weights=weights,
        weights_dir=weights_dir,
    )


def _xrv(architecture: Architecture, weights: str, weights_dir: str | Path | None) -> Backbone:
    from hilum.models.xrv import build_xrv

    return build_xrv(architecture.name, in_channels=architecture.in_channels, weights=weights, weights_dir=weights_dir)


def _no_classifier(architecture: Architecture, *_: Any) -> Backbone:
    raise RecipeError(
        f"model {architecture.name}",
        expected="a network with classes",
        found="one that draws its input again",
        way_out="hilum.models.create_autoencoder makes it, load_autoencoder loads it.",
    )


_POOL_2, _POOL_3 = (2, 2, 0), (3, 3, 0)
_POOL_OVERLAPPING = (3, 2, 1)
# width, kernel, stride, padding, batch norm, pool
_SIMPLE_BLOCKS = ((64, 7, 2, 3, True, _POOL_OVERLAPPING), (128, 5, 1, 2, True, _POOL_OVERLAPPING))
_MORE_BLOCKS = ((256, 3, 1, 1, True, _POOL_OVERLAPPING), (512, 3, 1, 1, True, _POOL_OVERLAPPING))

_OURS = (
    ModelEntry(
        "cnn-small",
        "cnn",
        "residual CNN of five stages, made to learn from scratch on a CPU within a minute or two",
        887_138,
        image_size=112,
        in_channels=1,
        weights="none",
        build=partial(_scratch, "cnn", widths=(32, 32, 64, 128, 192)),
    ),
    ModelEntry(
        "cnn-tiny",
        "cnn",
        "residual CNN of four stages, for tests and very small machines",
        172_322,
        image_size=112,
        in_channels=1,
        weights="none",
        build=partial(_scratch, "cnn", widths=(16, 24, 48, 96)),
    ),
    ModelEntry(
        "cnn-2conv",
        "cnn",
        "baseline: 2 convolutions (16, 32), one 2x2 pool, 2 fully connected layers (64, classes)",
        25_695_459,
        num_classes=3,
        weights="none",
        systems=("A",),
        build=partial(_plain, ((16, 3, 1, 1), (32, 3, 1, 1, False, _POOL_2)), (64,)),
    ),
    ModelEntry(
        "cnn-5conv",
        "cnn",
        "5 convolutions (16 to 128), a 2x2 pool after each, 3 fully connected layers (256, 64, classes) with dropout",
        1_867_555,
        num_classes=3,
        weights="none",
        systems=("A",),
        build=partial(_plain, tuple((width, 3, 1, 1, False, _POOL_2) for width in (16, 32, 64, 128, 128)), (256, 64)),
    ),
    ModelEntry(
        "vit-small-scratch",
        "vit",
        "vision transformer of six blocks, small enough to be trained from scratch on a CPU",
        1_248_259,
        in_channels=1,
        num_classes=3,
        weights="none",
        systems=("A",),
        build=partial(_scratch, "vit", patch_size=16, width=128, depth=6, heads=4),
    ),
    ModelEntry(
        "simplecnn",
        "cnn",
        "SimpleCNN: 2 convolutions (64, 128) with batch norm, fully connected layers 1024, 512, classes",
        134_953_603,
        image_size=256,
        in_channels=1,
        num_classes=3,
        weights="none",
        systems=("B",),
        build=partial(_plain, _SIMPLE_BLOCKS, (1024, 512)),
    ),
    ModelEntry(
        "simplecnn-small",
        "cnn",
        "SimpleCNN with 4 convolutions (64 to 512), fully connected layers 256, classes",
        10_075_011,
        image_size=256,
        in_channels=1,
        num_classes=3,
        weights="none",
        systems=("B",),
        build=partial(_plain, (*_SIMPLE_BLOCKS, *_MORE_BLOCKS), (256,)),
    ),
    ModelEntry(
        "vgg16-flatten",
        "vgg",
        "convolutions of VGG16 (Simonyan and Zisserman 2015), flattened; fully connected layers through `hidden`",
        14_764_866,
        weights_from="vgg16",
        systems=("C",),
        build=partial(_adapted, "vgg16-flatten"),
    ),
    ModelEntry(
        "vanilla-cnn",
        "cnn",
        "4 convolutions (32 to 128) without padding, fully connected layers 128, one sigmoid output",
        1_045_441,
        output="sigmoid",
        weights="none",
        systems=("D",),
        build=partial(
            _plain,
            ((32, 5, 1, 0, False, _POOL_3), *((width, 3, 1, 0, False, _POOL_2) for width in (64, 128, 128))),
            (128,),
        ),
    ),
    ModelEntry(
        "resnet18-adapter",
        "resnet",
        "ResNet18 (He et al. 2016) behind a 3x3 convolution from one channel to three",
        11_178_081,
        in_channels=1,
        num_classes=3,
        weights_from="resnet18",
        systems=("E",),
        build=partial(_adapted, "resnet18-adapter"),
    ),
    ModelEntry(
        "autoencoder",
        "autoencoder",
        "convolutional autoencoder with 64 latent numbers, for anomaly detection; has no classes",
        1_254_065,
        image_size=128,
        in_channels=1,
        num_classes=0,
        weights="none",
        systems=("C", "E"),
        build=_no_classifier,
    ),
)

_TIMM = (
    ModelEntry("mobilenetv2_100", "mobilenetv2", "MobileNetV2 (Sandler et al. 2018)", 2_226_434, systems=("A", "D")),
    ModelEntry("efficientnet_b0", "efficientnet", "EfficientNet-B0 (Tan and Le 2019)", 4_010_110, systems=("A",)),
    ModelEntry("resnet18", "resnet", "ResNet18 (He et al. 2016)", 11_177_538),
    ModelEntry("resnet50", "resnet", "ResNet50 (He et al. 2016)", 23_512_130, systems=("A", "B")),
    ModelEntry("resnet101", "resnet", "ResNet101 (He et al. 2016)", 42_504_258, systems=("E",)),
    ModelEntry("densenet121", "densenet", "DenseNet121 (Huang et al. 2017)", 6_955_906),
    ModelEntry("convnext_tiny", "convnext", "ConvNeXt-T (Liu et al. 2022)", 27_821_666),
    ModelEntry("vgg16", "vgg", "VGG16 (Simonyan and Zisserman 2015)", 134_268_738, systems=("A",)),
    ModelEntry("vit_base_patch16_224", "vit", "ViT-B/16 (Dosovitskiy et al. 2021)", 85_800_194, systems=("A",)),
    ModelEntry(
        "vit_small_patch14_dinov2",
        "vit",
        "ViT-S/14 of DINOv2 (Oquab et al. 2023), trained without labels on web images",
        21_629_570,
        weights="pretrained",
    ),
)

_CHEST = (
    ("densenet121-res224-all", "seven sets of chest X-rays", 224),
    ("densenet121-res224-rsna", "the RSNA pneumonia challenge", 224),
    ("densenet121-res224-nih", "NIH ChestX-ray14", 224),
    ("densenet121-res224-pc", "PadChest", 224),
    ("densenet121-res224-chex", "CheXpert", 224),
    ("densenet121-res224-mimic_nb", "MIMIC-CXR", 224),
    ("densenet121-res224-mimic_ch", "MIMIC-CXR, labelled as CheXpert", 224),
    ("resnet50-res512-all", "five sets of chest X-rays", 512),
)

_XRV = tuple(
    ModelEntry(
        f"xrv-{name}",
        "xrv",
        f"torchxrayvision's, trained on {data} (Cohen et al. 2022); needs the extra `hilum[xrv]`",
        6_949_634 if name.startswith("densenet") else 23_505_858,
        image_size=size,
        in_channels=1,
        weights="pretrained",
        build=_xrv,
    )
    for name, data, size in _CHEST
)

ENTRIES = (*_OURS, *_TIMM, *_XRV)
"""hilum's own networks first, then some of timm's, then torchxrayvision's."""
