"""The target layer: where in a network a heat map is taken."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from hilum.errors import RecipeError
from hilum.models.classifier import Classifier
from hilum.models.registry import MODELS

LAYERS = {
    "mobilenetv2": "conv_head",
    "efficientnet": "conv_head",
    "resnet": "layer4",
    "densenet": "norm5",
    "vgg": "block5",
    "convnext": "stages.3",
}
"""Family -> the stage whose result is the last map before everything is pooled.

Of hilum's own CNNs, of torchxrayvision's networks and of timm's others it is the last stage that still gives a map;
of a transformer the norm before the last attention, the last place where every token still counts for the answer.
"""

FEWEST_CELLS = 5
"""A side. Where the last map of a CNN is coarser (a 112-pixel picture reduced 32 times), an earlier stage is taken."""

Layout = Literal["NCHW", "NHWC", "tokens"]


@dataclass(frozen=True)
class Target:
    """Where a heat map is taken.

    Args:
        name: of a stage, or of a module in the backbone.
        module: whose result it is.
        layout: `NCHW`, `NHWC`, or `tokens`, that is `[B, prefix + cells, D]`.
        cells: rows and columns of the map.
        prefix: tokens before those of the patches.
    """

    name: str
    module: nn.Module
    layout: Layout
    cells: tuple[int, int]
    prefix: int = 0

    def as_maps(self, values: Tensor) -> Tensor:
        """The layer's result, or its gradient, as `[B, channels, h, w]`."""
        if self.layout == "NCHW":
            return values
        if self.layout == "tokens":
            values = values[:, self.prefix :].unflatten(1, self.cells)
        return values.permute(0, 3, 1, 2)


_FOUND: weakref.WeakKeyDictionary[Classifier, dict[str | None, Target]] = weakref.WeakKeyDictionary()
"""What was found before: it takes a pass of a picture, as long as a sixth of the maps of a batch."""


def find_target(model: Classifier, layer: str | None = None) -> Target:
    """The layer that suits a network's family, or the one that is named.

    Args:
        layer: a stage, or a module of the backbone such as `blocks.4.conv2`.

    Raises:
        RecipeError: no such layer, or one that gives no map.
    """
    known = _FOUND.setdefault(model, {})
    if layer not in known or not any(each is known[layer].module for each in model.modules()):
        known[layer] = _look_for(model, layer)
    return known[layer]


def _look_for(model: Classifier, layer: str | None) -> Target:
    if layer is not None:
        return _named(model, layer)
    if is_transformer(model):
        last = [name for name in model.stages if name.startswith("blocks.")][-1]
        return _named(model, f"{last}.norm1")
    maps = [each for each in _stage_results(model) if min(each.cells) > 1]
    family = MODELS[model.name].family if model.name in MODELS else ""
    first = LAYERS.get(family, maps[-1].name if maps else "")
    until = [position for position, each in enumerate(maps) if each.name == first]
    if not until:
        raise RecipeError(
            f"heat map of {model.name}", expected="a layer that gives a map", found="none", way_out="Name one: --layer."
        )
    fine = [each for each in maps[: until[0] + 1] if min(each.cells) >= FEWEST_CELLS]
    return fine[-1] if fine else maps[until[0]]


def is_transformer(model: Classifier) -> bool:
    """Whether every picture becomes tokens that attend to each other, as in a ViT."""
    patches = getattr(model.backbone, "patch_embed", None)
    blocks = getattr(model.backbone, "blocks", None)
    return patches is not None and isinstance(blocks, nn.Sequential) and hasattr(blocks[-1], "norm1")


def prefix_tokens(model: Classifier) -> int:
    """How many tokens stand before those of the patches: class token and registers."""
    return int(getattr(model.backbone, "num_prefix_tokens", 0))


@contextmanager
def evaluating(model: Classifier) -> Iterator[None]:
    """Evaluation mode within; afterwards every module is in the mode that it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _named(model: Classifier, layer: str) -> Target:
    stages = model.stages
    try:
        module = stages[layer].output if layer in stages else model.backbone.get_submodule(layer)
    except AttributeError:
        raise RecipeError(
            f"layer {layer!r} of {model.name}", expected=f"a module, or one of {', '.join(list(stages)[:-1])}"
        ) from None
    found = _results(model, {layer: module})
    if not found:
        raise RecipeError(f"layer {layer!r} of {model.name}", expected="one that gives a map", found="one without")
    return found[0]


def _stage_results(model: Classifier) -> list[Target]:
    stages = {name: stage.output for name, stage in model.stages.items() if len(stage.parts)}
    return _results(model, {name: module for name, module in stages.items() if name != "head"})


def _results(model: Classifier, modules: dict[str, nn.Module]) -> list[Target]:
    """A Target for each module whose result, of one empty picture, is a map."""
    found: dict[str, Target] = {}

    def look(name: str, module: nn.Module, result: object) -> None:
        target = _target_of(model, name, module, result)
        if target is not None:
            found[name] = target

    hooks = [
        module.register_forward_hook(lambda module, _, result, name=name: look(name, module, result))
        for name, module in modules.items()
    ]
    try:
        with evaluating(model), torch.no_grad():
            side = model.image_size
            model(torch.zeros(1, model.in_channels, side, side, device=model.device))
    finally:
        for hook in hooks:
            hook.remove()
    return [found[name] for name in modules if name in found]


def _target_of(model: Classifier, name: str, module: nn.Module, result: object) -> Target | None:
    if not isinstance(result, Tensor):
        return None
    if result.ndim == 4:
        last = getattr(model.backbone, "output_fmt", "NCHW") == "NHWC"
        height, width = result.shape[1:3] if last else result.shape[2:]
        return Target(name, module, "NHWC" if last else "NCHW", (int(height), int(width)))
    if result.ndim == 3 and is_transformer(model):
        prefix = prefix_tokens(model)
        side = round((result.shape[1] - prefix) ** 0.5)
        return Target(name, module, "tokens", (side, side), prefix) if side**2 + prefix == result.shape[1] else None
    return None
