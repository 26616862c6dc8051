"""The networks that hilum knows by name, and `create_model`. Reading this needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hilum.errors import RecipeError
from hilum.models.entries import ENTRIES, ModelEntry

if TYPE_CHECKING:
    from hilum.models.classifier import Architecture, Backbone, Classifier

WEIGHTS = ("none", "imagenet", "pretrained")


MODELS: dict[str, ModelEntry] = {entry.name: entry for entry in ENTRIES}
"""Name -> entry. Any other timm model goes by its own name."""

_SYNONYMS = ("pretrained", "imagenet")
"""Asked for and there: ImageNet weights are pre-trained ones."""


def list_models() -> list[dict[str, Any]]:
    """The registry as plain values, hilum's own networks first; timm's other names work as well.

    Returns:
        One row a network: `name, family, description, parameters, image_size, in_channels, num_classes, output,
        weights, systems`, as `ModelEntry` explains them.
    """
    return [entry.to_json() for entry in MODELS.values()]


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
    output: Literal["softmax", "sigmoid"] = "softmax",
    seed: int = 0,
) -> Classifier:
    """A network with a fresh head for K classes.

    Args:
        name: from `list_models()`, or any timm model (`convnext_tiny`, `vit_small_patch14_dinov2`).
        num_classes: K.
        in_channels: 1 or 3; a pre-trained colour stem is made grey by summing its filters.
        image_size: side of the square, pixels; transformers and networks that flatten are bound to it.
        weights: `pretrained` (those that go by this name, whatever they were trained on), `imagenet` (the same, where
            the registry does not say that they were trained on something else) or `none`.
        weights_dir: a folder of hub snapshots that is searched before `HILUM_WEIGHTS`, the hub's cache and the hub.
        dropout: see `Architecture`.
        hidden: widths of fully connected ReLU layers between the embedding and the classes.
        output: `softmax`; or `sigmoid`, with two classes: a single output z, given as the logits (0, z).
        seed: of every random parameter; torch's own random state is neither used nor changed.

    Raises:
        RecipeError: an unknown name (the nearest right one is named), or a number that the network cannot have.
        WeightsNotFound: the weights are nowhere: there is no fall back to random ones.
    """
    from hilum.models.classifier import Architecture

    architecture = Architecture(name, num_classes, in_channels, image_size, dropout, tuple(hidden), output=output)
    if weights not in WEIGHTS:
        raise RecipeError("model.weights", expected=f"one of {', '.join(WEIGHTS)}", found=str(weights))
    return _build(architecture, seed, weights=weights, weights_dir=weights_dir)


def rebuild(architecture: Architecture) -> Classifier:
    """The network that a model file describes, with arbitrary parameters; needs no pre-trained weights."""
    return _build(architecture, 0, weights="none", weights_dir=None)


def _build(architecture: Architecture, seed: int, *, weights: str, weights_dir: str | Path | None) -> Classifier:
    from hilum.models.classifier import Classifier

    with random_numbers_from(seed):
        backbone = _backbone(architecture, weights, weights_dir)
        return Classifier(replace(architecture, model_args=dict(backbone.model_args)), backbone)


def _backbone(architecture: Architecture, weights: str, weights_dir: str | Path | None) -> Backbone:
    entry = MODELS.get(architecture.name)
    if entry is not None and weights not in ("none", entry.weights) and (weights, entry.weights) != _SYNONYMS:
        raise _wrong_weights(entry, weights)
    if entry is not None and entry.build is not None:
        return entry.build(architecture, weights, weights_dir)
    from hilum.models.pretrained import build_timm

    return build_timm(
        architecture.name,
        in_channels=architecture.in_channels,
        image_size=architecture.image_size,
        weights=weights,
        weights_dir=weights_dir,
        model_args=architecture.model_args,
    )


def _wrong_weights(entry: ModelEntry, weights: str) -> RecipeError:
    if entry.weights == "none":
        expected, way_out = "none: it is trained from scratch", "Pre-trained networks are such as mobilenetv2_100."
    else:
        expected, way_out = "pretrained or none: its weights do not come from ImageNet", ""
    return RecipeError(f"model.weights of {entry.name}", expected=expected, found=weights, way_out=way_out)


@contextmanager
def random_numbers_from(seed: int) -> Iterator[None]:
    """torch's CPU generator starts at `seed` within and is as it was afterwards; networks are built on the CPU."""
    import torch

    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)
