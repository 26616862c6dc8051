"""How a timm network falls into stages: from the names of its children, which timm keeps alike across families.

mobilenetv2, efficientnet   stem, blocks.0 ... blocks.6, conv_head
resnet                      stem, layer1 ... layer4
densenet                    stem, denseblock1, transition1, ..., denseblock4, norm5
vgg                         block1 ... block5, pre_logits
vit, deit, dinov2           patch_embed, blocks.0 ... blocks.11, norm
convnext                    stem, stages.0 ... stages.3, neck
swin                        patch_embed, layers.0 ... layers.3, norm
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch import nn

OPENED = re.compile(r"\w*blocks\w*|stages|layers|levels")
"""Containers whose children are stages of their own, named `blocks.0` and so on."""

WHOLE = re.compile(
    r"(block|layer|stage|s|level|denseblock|transition)\d+|(mixed|repeat)\w*|features\.\d+", re.IGNORECASE
)
"""Children that are a stage each."""

ACTIVATION = re.compile(r"(act|relu)\w*", re.IGNORECASE)


def timm_stage_parts(backbone: nn.Module) -> dict[str, tuple[str, ...]]:
    """Stage name -> dotted names of its modules and loose parameters, from the input to the output.

    Args:
        backbone: a timm network made with `num_classes=0`.

    Returns:
        Every parameter lies in exactly one stage. Parameters that belong to no module, a class token or a position
        embedding, are part of the first stage.
    """
    stages: dict[str, list[str]] = {}
    for name, path, child in _children(backbone):
        _place(stages, name, path, child)
    first = next(iter(stages))
    stages[first] = [name for name, _ in backbone.named_parameters(recurse=False)] + stages[first]
    return {name: tuple(parts) for name, parts in stages.items()}


def _children(network: nn.Module) -> Iterator[tuple[str, str, nn.Module]]:
    """(name, dotted name, module) of the children, those of a flat `features` in its place.

    VGG numbers its layers through; there the name is that of the block, which ends with a max-pool.
    """
    for name, child in network.named_children():
        if name != "features" or not isinstance(child, nn.Sequential):
            yield name, name, child
            continue
        in_blocks, block = sum(isinstance(each, nn.MaxPool2d) for each in child) > 1, 1
        for inner, module in child.named_children():
            path = f"features.{inner}"
            yield f"block{block}" if in_blocks else path if inner.isdecimal() else inner, path, module
            block += isinstance(module, nn.MaxPool2d)


def _place(stages: dict[str, list[str]], name: str, path: str, child: nn.Module) -> None:
    """Adds one child to the last stage or opens a new one for it; what only pools, drops or reshapes gets none."""
    has_parameters = any(True for _ in child.parameters())
    last = next(reversed(stages), "")
    in_first, complete = len(stages) == 1, OPENED.match(last) or WHOLE.fullmatch(last)
    if name in stages:
        stages[name].append(path)
    elif has_parameters and OPENED.fullmatch(name):
        stages.update({f"{name}.{inner}": [f"{path}.{inner}"] for inner, _ in child.named_children()})
    elif has_parameters and WHOLE.fullmatch(name):
        stages[name] = [path]
    elif last and not complete and (has_parameters or in_first or ACTIVATION.fullmatch(name)):
        stages[last].append(path)
    elif has_parameters:
        stages[_name(name, first=not stages)] = [path]


def _name(child: str, *, first: bool) -> str:
    if first:
        return child if child == "patch_embed" else "stem"
    return "neck" if child == "head" else child
