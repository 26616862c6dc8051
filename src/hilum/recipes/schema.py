"""The Recipe: an experiment as a frozen value of names and numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Model:
    """Which network.

    Args:
        name: a name from `hilum models`, or any timm model.
        weights: `imagenet` (hub or local folder; an error when they cannot be found) or `none`.
        dropout: share of the embedding dropped before the head, in [0, 1).
        hidden: widths of fully connected ReLU layers between the embedding and the classes.
    """

    name: str = "cnn-small"
    weights: Literal["imagenet", "none"] = "none"
    dropout: float = 0.0
    hidden: tuple[int, ...] = ()


@dataclass(frozen=True)
class Preprocessing:
    """What every image goes through, in training and ever after.

    Args:
        image_size: side of the square that the network sees, pixels.
        fit: `pad` keeps the aspect ratio with black borders, `stretch` does not keep it, `crop` keeps the centre.
        equalise: histogram equalisation after the resize.
        normalisation: `imagenet` (mean and std), `half` (mean 0.5, std 0.5), `minus-one-one`, `zero-one`.
        channels: 3 repeats the grey image, 1 does not.
    """

    image_size: int = 224
    fit: Literal["pad", "stretch", "crop"] = "pad"
    equalise: bool = False
    normalisation: Literal["imagenet", "half", "minus-one-one", "zero-one"] = "imagenet"
    channels: Literal[1, 3] = 3


@dataclass(frozen=True)
class Augmentation:
    """Random changes to training images, drawn anew for each image and epoch; 0 switches one off.

    Args:
        rotation: degrees; uniform in [-rotation, rotation].
        shift: share of the side, each way and direction.
        zoom: the scale is uniform in [1 - zoom, 1 + zoom].
        shear: degrees; uniform in [-shear, shear].
        flip: probability of a left-right flip.
        brightness: share of the full range; uniform offset in [-brightness, brightness].
        contrast: the factor is uniform in [1 - contrast, 1 + contrast].
        gamma: the exponent is exp of a uniform draw in [-gamma, gamma].
        blur: largest standard deviation of a Gaussian blur, pixels.
        noise: largest standard deviation of Gaussian noise, share of the full range.
        equalise: probability of histogram equalisation.
        erase: probability of one rectangle set to grey, 2 to 20 % of the area.
    """

    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    equalise: float = 0.0
    erase: float = 0.0


@dataclass(frozen=True)
class Phase:
    """One stretch of training with one set of trained stages.

    Args:
        max_epochs: how many at most.
        train: `all`, `head` (backbone frozen, run once for each view), or `last:N` (head and the last N stages).
        lr: learning rate of the head, and of the backbone times `backbone_lr_scale`.
        optimiser: `adam`, `adamw` or `sgd` (momentum 0.9).
        schedule: `constant`, `cosine` (to 0), `step` (a tenth at each third), `plateau` (a tenth after 3 epochs
            without gain).
        warmup_epochs: linear rise from 0; may be a fraction.
        patience: epochs without a better validation loss before the phase ends; 0 = never.
        views: with `head`: views of each training image whose features are computed once (1 = the plain one).
    """

    max_epochs: int = 10
    train: str = "all"
    lr: float = 1e-3
    backbone_lr_scale: float = 1.0
    weight_decay: float = 0.0
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    schedule: Literal["constant", "cosine", "step", "plateau"] = "constant"
    warmup_epochs: float = 0.0
    patience: int = 0
    views: int = 1


@dataclass(frozen=True)
class Recipe:
    """An experiment: names and numbers only, so that JSON holds it exactly.

    Args:
        name: what the user types.
        description: one sentence.
        source: where it comes from: `hilum`, a paper, one of the reference systems.
        balance: `as-is`, `undersampled`, `oversampled`, `class-weights`; acts in the training loader only.
        label_smoothing: share of the target spread over all classes.
        ema: decay a step of an exponential moving average of the weights that is evaluated and saved; 0 = none.
        tta: views averaged when predicting: `plain`, `flip`.
        batch_size: images a step.
        precision: `auto` (bfloat16 where it is measured to pay), `32`, `bf16`.
        overfit_check: first see whether the network can memorise 16 images.
        time_share: part of a study's time budget, in relation to the other recipes'.
    """

    name: str
    description: str = ""
    source: str = "hilum"
    model: Model = field(default_factory=Model)
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    augmentation: Augmentation = field(default_factory=Augmentation)
    phases: tuple[Phase, ...] = (Phase(),)
    balance: Literal["as-is", "undersampled", "oversampled", "class-weights"] = "as-is"
    label_smoothing: float = 0.0
    ema: float = 0.0
    tta: tuple[str, ...] = ("plain",)
    batch_size: int = 32
    precision: Literal["auto", "32", "bf16"] = "auto"
    overfit_check: bool = True
    time_share: float = 1.0
