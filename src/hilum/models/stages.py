"""Stages: the named, ordered parts of a network that freezing, learning rates and heat maps refer to."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from hilum.errors import RecipeError

if TYPE_CHECKING:
    from hilum.models.classifier import Classifier


class Stage(nn.Module):
    """A view of some modules of a network, in order; it owns nothing and has no forward of its own.

    Attributes:
        parts: the modules, in the order in which an image passes through them.
    """

    def __init__(self, parts: Iterable[nn.Module], loose: Iterable[nn.Parameter] = ()) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.loose = nn.ParameterList(loose)

    @classmethod
    def of(cls, network: nn.Module, names: Sequence[str]) -> Stage:
        """The modules and loose parameters of a network that have these dotted names."""
        found = [_get(network, name) for name in names]
        parameters = [each for each in found if isinstance(each, nn.Parameter)]
        return cls((each for each in found if not isinstance(each, nn.Parameter)), parameters)

    @property
    def output(self) -> nn.Module:
        """The module whose result leaves the stage: where a heat map hooks in."""
        return self.parts[-1]


def select_stages(model: Classifier, selection: str) -> tuple[str, ...]:
    """The stages that a recipe's words mean.

    Args:
        selection: `all`; `head`; `last:N`, the head and the N stages before it; or names of stages or modules of the
            backbone with commas between them (`layer4.2,head`).

    Returns:
        Names for `set_trained_stages`.

    Raises:
        RecipeError: none of these, or more stages than there are.
    """
    stages = list(model.stages)
    if selection == "all":
        return tuple(stages)
    if selection.startswith("last:"):
        return tuple(stages[-1 - _count(selection, len(stages) - 1, model) :])
    names = tuple(name.strip() for name in selection.split(","))
    for name in names:
        _part(model, name)
    return names


def set_trained_stages(model: Classifier, names: Collection[str], *, allow: Collection[str] = ()) -> None:
    """Trains these stages and freezes all others: no gradients, and evaluation mode whatever `train()` says.

    Args:
        names: of stages, or of modules within the backbone (`layer4.2`, `blocks.5.2.bn1`) for a border inside a stage.
        allow: guards that are lifted on purpose; the only one is `frozen-random`.

    Raises:
        RecipeError: an unknown name, nothing to train, or a parameter that would be frozen while it is still random.
    """
    parts = [_part(model, name) for name in names]
    trained = {id(parameter) for part in parts for parameter in part.parameters()}
    if not trained:
        raise RecipeError(f"{model.name}: stages to train", expected="at least one with parameters", found="none")
    frozen_random = [name for name, each in model.named_parameters() if name in model.fresh and id(each) not in trained]
    if frozen_random and "frozen-random" not in allow:
        raise RecipeError(
            f"{model.name}: parameter {frozen_random[0]}",
            expected="random parameters to be trained",
            found=f"it and {len(frozen_random) - 1} others frozen at random values",
            way_out=f"Train the stage {_stage_of(model, frozen_random[0])} too, or use pre-trained weights.",
        )
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in trained)
    model.train(model.training)


def mark_trained(model: Classifier) -> None:
    """To be called after a phase of training: what was trained is no longer random, so a later phase may freeze it."""
    model.fresh = model.fresh.difference(name for name, each in model.named_parameters() if each.requires_grad)


def keep_frozen_in_eval(model: Classifier) -> None:
    """Puts frozen stages, and frozen layers such as a batch norm within a trained stage, into evaluation mode."""
    for stage in model.stages.values():
        for module in stage.modules():
            own = [each.requires_grad for each in module.parameters()]
            if own and not any(own):
                module.eval()


def stage_table(model: Classifier) -> list[dict[str, Any]]:
    """What a run prints before it trains.

    Returns:
        One row a stage: `name`, `parameters`, `trained` (whether any of them is), `trained_parameters`.
    """
    rows = []
    for name, stage in model.stages.items():
        sizes = [(each.numel(), each.requires_grad) for each in stage.parameters()]
        trained = sum(size for size, trains in sizes if trains)
        total = sum(size for size, _ in sizes)
        rows.append({"name": name, "parameters": total, "trained": trained > 0, "trained_parameters": trained})
    return rows


def param_groups(
    model: Classifier,
    *,
    lr: float,
    backbone_lr_scale: float = 1.0,
    weight_decay: float = 0.0,
    layer_decay: float = 1.0,
) -> list[dict[str, Any]]:
    """Trained parameters as groups for a torch optimiser.

    Norms and biases (one dimension or none) and what the backbone itself names (`no_weight_decay`, a ViT's position
    embedding) are not decayed.

    Args:
        lr: of the head.
        backbone_lr_scale: the backbone's learning rate is `lr` times this.
        layer_decay: each stage of the backbone learns at the rate of the one behind it times this, in (0, 1] (Howard
            and Ruder 2018, Universal language model fine-tuning, section 3.2): the last one at the backbone's.

    Returns:
        Up to four groups with `name` (`head`, `head-no-decay`, `backbone`, `backbone-no-decay`), `params`, `lr`,
        `weight_decay`; empty ones are left out. With a `layer_decay` below 1 the names of stages stand for `backbone`.
    """
    slower = _slower(model, layer_decay)
    undecayed = {f"backbone.{name}" for name in getattr(model.backbone, "no_weight_decay", set)()}
    groups: dict[str, dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        in_head = name.startswith("head.")
        part, factor = ("head", 1.0) if in_head else slower.get(id(parameter), ("backbone", 1.0))
        decayed = parameter.ndim > 1 and name not in undecayed
        key = part if decayed else f"{part}-no-decay"
        rate = lr if in_head else lr * backbone_lr_scale * factor
        fresh = {"name": key, "params": [], "lr": rate, "weight_decay": weight_decay if decayed else 0.0}
        groups.setdefault(key, fresh)["params"].append(parameter)
    return list(groups.values())


def _slower(model: Classifier, layer_decay: float) -> dict[int, tuple[str, float]]:
    """For each parameter of the backbone its stage, and what its learning rate is multiplied by; empty without decay.

    A parameter that belongs to no stage counts as one of the first: what stands outside, such as a position
    embedding, meets the picture first.
    """
    if layer_decay == 1:
        return {}
    own = {name: list(stage.parameters()) for name, stage in model.stages.items() if name != "head"}
    stages = [(name, parameters) for name, parameters in own.items() if parameters]
    first = (stages[0][0], layer_decay ** (len(stages) - 1))
    found = {id(parameter): first for parameter in model.backbone.parameters()}
    for depth, (name, parameters) in enumerate(reversed(stages)):
        found |= {id(parameter): (name, layer_decay**depth) for parameter in parameters}
    return found


def find_module(model: Classifier, name: str) -> nn.Module:
    """The module whose result is what a stage, or a module of the backbone, hands on.

    Raises:
        RecipeError: no such part.
    """
    part = _part(model, name)
    return part.output if isinstance(part, Stage) else part


def _get(network: nn.Module, name: str) -> nn.Module | nn.Parameter:
    parent, _, last = name.rpartition(".")
    found = getattr(network.get_submodule(parent), last)
    if not isinstance(found, (nn.Module, nn.Parameter)):
        raise AttributeError(name)
    return found


def _part(model: Classifier, name: str) -> nn.Module:
    stages = model.stages
    if name in stages:
        return stages[name]
    try:
        return model.backbone.get_submodule(name or " ")
    except AttributeError:
        pass
    known = [*stages, *(module for module, _ in model.backbone.named_modules() if module)]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    raise RecipeError(
        f"stage {name!r} of {model.name}",
        expected=f"all, head, last:N, or one of {', '.join(stages)}",
        way_out=f"Did you mean {near[0]}?" if near else "",
    )


def _count(selection: str, most: int, model: Classifier) -> int:
    text = selection.removeprefix("last:")
    if not text.isdecimal() or not 0 <= int(text) <= most:
        raise RecipeError(f"stages {selection!r} of {model.name}", expected=f"last:0 to last:{most}")
    return int(text)


def _stage_of(model: Classifier, parameter_name: str) -> str:
    wanted = model.get_parameter(parameter_name)
    return next(name for name, stage in model.stages.items() if any(each is wanted for each in stage.parameters()))
