"""Classifier: every network of hilum behind one signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hilum.errors import RecipeError
from hilum.models.stages import Stage, keep_frozen_in_eval

OUTPUTS = ("softmax", "sigmoid")
AUTOENCODER = "An autoencoder is loaded by hilum.models.load_autoencoder."


@dataclass(frozen=True)
class Architecture:
    """What it takes to build a network again without its weights: the model file stores it.

    Args:
        name: a name from `hilum models`, or any timm model.
        num_classes: outputs K, at least 2.
        in_channels: 1 or 3.
        image_size: side of the square that the network is built for, pixels.
        dropout: share dropped of what enters the last linear layer and of each hidden layer's output, in [0, 1).
        hidden: widths of fully connected ReLU layers between the embedding and the classes.
        model_args: further arguments of the backbone's builder, as the pre-trained weights asked for them.
        output: `softmax`, K outputs; or `sigmoid`, a single one for two classes.

    Raises:
        RecipeError: a number out of its range.
    """

    name: str
    num_classes: int
    in_channels: int = 3
    image_size: int = 224
    dropout: float = 0.0
    hidden: tuple[int, ...] = ()
    model_args: Mapping[str, Any] = field(default_factory=dict)
    output: Literal["softmax", "sigmoid"] = "softmax"

    def __post_init__(self) -> None:
        _check("model.num_classes", self.num_classes >= 2, "at least 2", self.num_classes)
        _check("model.in_channels", self.in_channels in (1, 3), "1 or 3", self.in_channels)
        _check("model.image_size", 16 <= self.image_size <= 2048, "16 to 2048 pixels", self.image_size)
        _check("model.dropout", 0 <= self.dropout < 1, "a share in [0, 1)", self.dropout)
        _check("model.hidden", all(width >= 1 for width in self.hidden), "widths of at least 1", self.hidden)
        _check("model.output", self.output in OUTPUTS, f"one of {', '.join(OUTPUTS)}", self.output)
        fits = self.output == "softmax" or self.num_classes == 2
        _check("model.output sigmoid", fits, "2 classes: it is a single output", self.num_classes)

    def to_json(self) -> dict[str, Any]:
        """Names and numbers for a model file's header."""
        return {**asdict(self), "hidden": list(self.hidden), "model_args": dict(self.model_args)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Architecture:
        """The way back from `to_json`; a header from before there were single outputs has none of the key.

        Raises:
            RecipeError: the header of something that is no classifier.
        """
        if "num_classes" not in document:
            raise RecipeError(
                f"model {document.get('name')}", expected="a classifier", found="none", way_out=AUTOENCODER
            )
        return cls(**{**document, "hidden": tuple(document["hidden"])})


@dataclass(frozen=True)
class Backbone:
    """A network without its classes, as a builder hands it over.

    Args:
        module: `[B, C, H, W]` -> pooled features `[B, D]`.
        embedding_dim: D.
        stage_parts: stage name -> dotted names of its modules (and loose parameters) inside `module`, stages and
            modules in the order in which an image passes through them; every parameter in exactly one stage.
        weights: where its weights come from (`hilum.models.weights.Snapshot.provenance`); None = random.
        model_args: arguments beside channels and size that it was built with.
        fresh: parts of `module` that stay random although the others have weights, such as an added convolution.
    """

    module: nn.Module
    embedding_dim: int
    stage_parts: Mapping[str, tuple[str, ...]]
    weights: Mapping[str, Any] | None = None
    model_args: Mapping[str, Any] = field(default_factory=dict)
    fresh: tuple[str, ...] = ()


class Head(nn.Sequential):
    """Embedding -> logits: (linear, ReLU, dropout) for each hidden width, then linear.

    Without hidden layers the dropout acts on the embedding itself. K classes are K logits whose softmax is the
    answer. A single sigmoid output z is given as the two logits (0, z), whose softmax is (1 - sigmoid(z), sigmoid(z)):
    cross-entropy on them is binary cross-entropy on z.

    Args:
        embedding_dim: D.
        num_classes: K.
        hidden: widths.
        dropout: share dropped, in [0, 1).
        output: `softmax` or, with K = 2, `sigmoid`.
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        *,
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        output: str = "softmax",
    ) -> None:
        layers: list[nn.Module] = [] if hidden else [nn.Dropout(dropout)]
        widths = [embedding_dim, *hidden]
        for before, after in zip(widths, hidden, strict=False):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
        layers.append(nn.Linear(widths[-1], 1 if output == "sigmoid" else num_classes))
        super().__init__(*(layer for layer in layers if not (isinstance(layer, nn.Dropout) and not dropout)))
        self.single = output == "sigmoid"
        for layer in self:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=layer.in_features**-0.5)
                nn.init.zeros_(layer.bias)

    def forward(self, embedding: Tensor) -> Tensor:
        outputs = super().forward(embedding)
        return torch.cat([torch.zeros_like(outputs), outputs], dim=1) if self.single else outputs

    def last_hidden(self, embedding: Tensor) -> Tensor:
        """What enters the last linear layer, `[B, W]`; without hidden layers the embedding itself."""
        for layer in list(self)[:-1]:
            embedding = layer(embedding)
        return embedding


class Classifier(nn.Module):
    """Backbone and head.

    Attributes:
        architecture: what it was built from.
        embedding_dim: D.
        fresh: names of parameters that hold random numbers: not loaded, and not trained since. Freezing one is an
            error; `hilum.models.stages.mark_trained` takes the trained ones out after a phase of training.
        weights: name, place, SHA-256, mean and standard deviation of the pre-trained weights; None = none were used.
    """

    def __init__(self, architecture: Architecture, backbone: Backbone) -> None:
        super().__init__()
        self.architecture = architecture
        self.embedding_dim = backbone.embedding_dim
        self.backbone = backbone.module
        self.head = Head(
            backbone.embedding_dim,
            architecture.num_classes,
            hidden=architecture.hidden,
            dropout=architecture.dropout,
            output=architecture.output,
        )
        self.weights = None if backbone.weights is None else dict(backbone.weights)
        random = ("head.", *(f"backbone.{part}." for part in backbone.fresh)) if self.weights else ("",)
        self.fresh = frozenset(name for name, _ in self.named_parameters() if name.startswith(random))
        self._stage_parts = {
            **{stage: tuple(f"backbone.{part}" for part in parts) for stage, parts in backbone.stage_parts.items()},
            "head": ("head",),
        }

    def forward(self, image: Tensor) -> Tensor:
        """image: float `[B, C, H, W]`, normalised -> logits `[B, K]`."""
        return self.classify(self.embed(image))

    def embed(self, image: Tensor) -> Tensor:
        """image: float `[B, C, H, W]` -> what enters the head, pooled, `[B, D]`."""
        return self.backbone(image)

    def classify(self, embedding: Tensor) -> Tensor:
        """embedding: `[B, D]`, as `embed` gives it -> logits `[B, K]`."""
        return self.head(embedding)

    def last_hidden(self, image: Tensor) -> Tensor:
        """image: float `[B, C, H, W]` -> what enters the last linear layer, `[B, W]`: the last hidden layer."""
        return self.head.last_hidden(self.embed(image))

    @property
    def stage_parts(self) -> dict[str, tuple[str, ...]]:
        """Stage name -> dotted names of its modules and loose parameters, in the order an image passes them."""
        return dict(self._stage_parts)

    @property
    def stages(self) -> dict[str, Stage]:
        """Its parts in the order in which an image passes through them, the last one `head`.

        Views that are made anew at each call: a stage shares its modules and parameters with the network.
        """
        return {name: Stage.of(self, parts) for name, parts in self._stage_parts.items()}

    @property
    def name(self) -> str:
        return self.architecture.name

    @property
    def num_classes(self) -> int:
        return self.architecture.num_classes

    @property
    def in_channels(self) -> int:
        return self.architecture.in_channels

    @property
    def image_size(self) -> int:
        return self.architecture.image_size

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def train(self, mode: bool = True) -> Classifier:
        """As in torch, but what is frozen stays in evaluation mode, batch norm above all."""
        super().train(mode)
        if mode:
            keep_frozen_in_eval(self)
        return self


def _check(what: str, right: bool, expected: str, found: object) -> None:
    if not right:
        raise RecipeError(what, expected=expected, found=str(found))
