"""The frozen front of a network: what lies before the first trained module, and the rest as a network of its own."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NoReturn

import torch
from torch import Tensor, nn

from hilum.models.classifier import Classifier


def frozen_front(model: Classifier) -> tuple[str, ...]:
    """Dotted names of the modules that an image passes before the first one that trains, in that order.

    The border may lie within a stage, between the children of a sequence: `backbone.blocks.5.1`. Empty when the first
    module trains, and when everything in front of the head is frozen (the embedding is the better border then).
    """
    names: list[str] = []
    for stage, parts in model.stage_parts.items():
        if stage == "head":
            return ()
        for part in parts:
            found = model.get_submodule(part) if _is_module(model, part) else model.get_parameter(part)
            if isinstance(found, nn.Parameter):
                if found.requires_grad:
                    return tuple(names)
                continue
            before = list(_before_trained(found, part))
            names += before
            if before != [part]:
                return tuple(names)
    return ()


def after_front(model: Classifier, front: Sequence[str]) -> Classifier:
    """The same network without its front: it takes what the front gives and shares every weight with the whole.

    Whether the network's parts simply follow each other is not looked at: compare the two before you rely on it.

    Args:
        front: names as `frozen_front` gives them.
    """
    rest = _without(model, [name.split(".") for name in front])
    assert isinstance(rest, Classifier)
    return rest


def run_front(model: Classifier, front: Sequence[str], image: Tensor) -> Tensor:
    """What leaves the last module of the front for images `[B, C, H, W]`; nothing behind it is computed.

    Raises:
        TypeError: that is not one tensor.
    """
    found: list[Tensor] = []

    def stop(_module: nn.Module, _inputs: object, output: object) -> NoReturn:
        if not isinstance(output, Tensor):
            raise TypeError(f"{front[-1]} gives {type(output).__name__}")
        found.append(output)
        raise _Enough

    handle = model.get_submodule(front[-1]).register_forward_hook(stop)
    try:
        with torch.inference_mode():
            model.embed(image)
    except _Enough:
        pass
    finally:
        handle.remove()
    return found[0]


class _Enough(Exception):
    """The front is done."""


def _is_module(model: Classifier, name: str) -> bool:
    return not isinstance(getattr(model.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]), nn.Parameter)


def _before_trained(module: nn.Module, name: str) -> Iterator[str]:
    """The module's own name when it is frozen; else the names of its first frozen children, if it is a sequence."""
    if not any(parameter.requires_grad for parameter in module.parameters()):
        yield name
    elif isinstance(module, nn.Sequential):
        for child, inner in module.named_children():
            path = f"{name}.{child}"
            before = list(_before_trained(inner, path))
            yield from before
            if before != [path]:
                return


def _without(module: nn.Module, paths: Sequence[Sequence[str]]) -> nn.Module:
    """A copy of the module, sharing its weights, in which identities stand at these places."""
    if [] in [list(path) for path in paths]:
        return nn.Identity()
    rest = copy.copy(module)
    rest._modules = dict(module._modules)
    for child, inner in groupby(sorted(paths, key=lambda path: path[0]), key=lambda path: path[0]):
        own = module._modules[child]
        assert own is not None
        rest._modules[child] = _without(own, [path[1:] for path in inner])
    return rest
