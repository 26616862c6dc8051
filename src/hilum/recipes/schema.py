"""The Recipe: an experiment as a frozen value of names and numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Model:
    """Which network.

    Args:
        name: a name from `hilum models`, or any timm model.
        weights: `imagenet` (hub or local folder; an error when they cannot be found), `pretrained` (those that go by
            the network's name, whatever they were trained on) or `none`.
        dropout: share of the embedding dropped before the head, in [0, 1).
        hidden: widths of fully connected ReLU layers between the embedding and the classes.
        output: `softmax`, one output a class; `sigmoid`, a single one, for two classes only.
    """

    name: str = "cnn-small"
    weights: Literal["imagenet", "pretrained", "none"] = "none"
    dropout: float = 0.0
    hidden: tuple[int, ...] = ()
    output: Literal["softmax", "sigmoid"] = "softmax"


@dataclass(frozen=True)
class Preprocessing:
    """What every image goes through, in training and ever after.

    Args:
        image_size: side of the square that the network sees, pixels.
        fit: `pad` keeps the aspect ratio with black borders, `stretch` does not keep it, `crop` keeps the centre.
        equalise: histogram equalisation after the resize.
        normalisation: `auto` (what the pre-trained weights were trained with; `imagenet` without weights), `imagenet`
            (mean and std), `half` (mean 0.5, std 0.5), `minus-one-one`, `zero-one`.
        channels: 3 repeats the grey image, 1 does not.
    """

    image_size: int = 224
    fit: Literal["pad", "stretch", "crop"] = "pad"
    equalise: bool = False
    normalisation: Literal["auto", "imagenet", "half", "minus-one-one", "zero-one"] = "imagenet"
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
        collimate: probability of a border such as a collimator leaves, 0 to 15 % of each side in one grey.
        crop: largest share cut from each side, each drawn by itself; what is left fills the square again.
        sharpen: largest amount of unsharp masking.
        shade: largest share of the full range by which a ramp of light across the picture changes its edges.
        jpeg: probability of being stored as JPEG, of a quality from 15 to 95.
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
    collimate: float = 0.0
    crop: float = 0.0
    sharpen: float = 0.0
    shade: float = 0.0
    jpeg: float = 0.0


@dataclass(frozen=True)
class Phase:
    """One stretch of training with one set of trained stages.

    Args:
        max_epochs: how many at most.
        train: `all`, `head` (backbone frozen), `last:N` (head and the last N stages), or names of stages and of modules
            of the backbone with commas between them (`layer4.2,head`).
        lr: learning rate of the head, and of the backbone times `backbone_lr_scale`.
        optimiser: `adam`, `adamw` or `sgd` (momentum 0.9).
        schedule: `constant`, `cosine` (to 0), `step` (a tenth at each third), `plateau` (a tenth after 3 epochs
            without gain), `exponential` (times `decay` after every epoch).
        warmup_epochs: linear rise from 0; may be a fraction.
        patience: epochs without a better validation loss before the phase ends; 0 = never.
        views: with `head`: views of each training image whose features are computed once (1 = the plain one);
            0 keeps no features: every epoch runs the frozen backbone on pictures that are augmented anew.
        decay: what an `exponential` schedule multiplies the learning rate by after every epoch, in (0, 1].
        batch_size: images a step; 0 = the recipe's, or with features of a frozen backbone sixteen steps an epoch.
        layer_decay: each stage of the backbone learns at the rate of the one behind it times this, in (0, 1]; 1 lets
            all learn alike. What was trained on other pictures changes little near the picture, more near the head.
    """

    max_epochs: int = 10
    train: str = "all"
    lr: float = 1e-3
    backbone_lr_scale: float = 1.0
    weight_decay: float = 0.0
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    schedule: Literal["constant", "cosine", "step", "plateau", "exponential"] = "constant"
    warmup_epochs: float = 0.0
    patience: int = 0
    views: int = 1
    decay: float = 0.9
    batch_size: int = 0
    layer_decay: float = 1.0


@dataclass(frozen=True)
class View:
    """One look at an image when predicting, for test-time augmentation.

    Args:
        name: a few letters, unique in its policy.
        steps: changes made one after the other, each drawn as an `Augmentation` is in training, but from the seed
            and the picture alone: the same picture is always seen the same way.
    """

    name: str
    steps: tuple[Augmentation, ...] = ()


@dataclass(frozen=True)
class Policy:
    """Views whose probabilities are averaged.

    Args:
        name: a few letters.
        views: `plain`, `flip`, or a View.
    """

    name: str
    views: tuple[str | View, ...] = ("plain",)


@dataclass(frozen=True)
class Neighbors:
    """Classification by the nearest training images in the network's embedding.

    Args:
        k: how many neighbours vote; 0 chooses on validation.
        metric: of the distance between embeddings.
        weights: `uniform`, or `distance` (the nearer counts more).
        layer: `embedding` is what enters the head, `hidden` the last fully connected layer before the classes.
    """

    k: int = 0
    metric: Literal["euclidean", "cosine"] = "euclidean"
    weights: Literal["uniform", "distance"] = "uniform"
    layer: Literal["embedding", "hidden"] = "embedding"


@dataclass(frozen=True)
class Anomaly:
    """Anomalies found by an autoencoder that is trained on the normal images only.

    Args:
        normal: name of the normal class; empty = the one that is called normal.
        score: `error` (mean squared error of the reconstruction), `density` (of the code under a kernel density
            estimate), or `error-or-density` (either of both beyond its threshold).
        quantile: of the normal validation images: the thresholds; they never see an abnormal image.
        bandwidth: of the kernel density estimate, in standard deviations; 0 = Scott's rule.
    """

    normal: str = ""
    score: Literal["error", "density", "error-or-density"] = "error"
    quantile: float = 0.95
    bandwidth: float = 0.0


@dataclass(frozen=True)
class Distil:
    """One network that learns from several: what a few of its kind think of each image that they never saw.

    Args:
        folds: of the training images, patient by patient; one member is trained without each, and says what it thinks
            of that fold. At least 2.
        share: weight of what members think in the loss, in [0, 1]; the labels have the rest.
    """

    folds: int = 5
    share: float = 0.5


@dataclass(frozen=True)
class Range:
    """Values of one field that `hilum tune` may try.

    Args:
        field: dotted path such as `phases.0.lr`.
        low, high: ends of a range of numbers, both included.
        log: draw evenly in the logarithm.
        choices: instead of a range: values as they would be typed.
    """

    field: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """An experiment: names and numbers only, so that JSON holds it exactly.

    Args:
        name: what the user types.
        description: one sentence.
        source: where it comes from: `hilum`, a paper, one of the reference systems.
        balance: `as-is`, `undersampled`, `oversampled`, `class-weights`; acts in the training loader only.
        label_smoothing: share of the target spread over all classes.
        mixup: each picture is laid over another of its batch, and the classes are mixed alike; the share of the other
            is the smaller part of a draw from Beta(mixup, mixup). 0 = never. Not where a head is trained on features.
        ema: decay a step of an exponential moving average of the weights that is evaluated and saved; 0 = none.
        tta: views averaged when predicting: `plain`, `flip`, or any View.
        batch_size: images a step.
        precision: `auto` (bfloat16 where it is measured to pay), `32`, `bf16`.
        overfit_check: first see whether the network can memorise 16 images.
        time_share: part of a study's time budget, in relation to the other recipes'.
        tta_candidates: policies of which the one with the lowest log loss on validation is used instead of `tta`.
        val_fraction: share of the training images that validates when this recipe is trained by itself and nobody
            says otherwise; 0 = the command's default.
        neighbors: settings of a k-NN on the trained network's embedding; None = no k-NN.
        anomaly: settings of an anomaly detector; None = a classifier.
        distil: train members on folds first, and this network on what they think too; None = labels alone.
        search: what `hilum tune` varies when nobody says what.
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
    mixup: float = 0.0
    ema: float = 0.0
    tta: tuple[str | View, ...] = ("plain",)
    batch_size: int = 32
    precision: Literal["auto", "32", "bf16"] = "auto"
    overfit_check: bool = True
    time_share: float = 1.0
    tta_candidates: tuple[Policy, ...] = ()
    val_fraction: float = 0.0
    neighbors: Neighbors | None = None
    anomaly: Anomaly | None = None
    distil: Distil | None = None
    search: tuple[Range, ...] = ()
