"""One stretch of training with one set of trained stages, and the learning rate along it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hilum.errors import RecipeError

OPTIMISERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "step", "plateau", "exponential")
PLATEAU_EPOCHS = 3


@dataclass(frozen=True)
class Phase:
    """See `hilum.recipes.schema.Phase`, whose fields and defaults these are.

    Args:
        max_epochs: how many at most, at least 1.
        train: `all`, `head`, `last:N`, or names of stages and modules.
        lr: learning rate of the head, and of the backbone times `backbone_lr_scale`.
        weight_decay: not applied to norms and biases.
        optimiser: `adam`, `adamw`, or `sgd` with momentum 0.9.
        schedule: `constant`, `cosine` (to 0), `step` (a tenth at each third), `plateau` (a tenth after 3 epochs
            without a better validation loss), `exponential` (times `decay` after every epoch).
        warmup_epochs: linear rise from 0.
        patience: epochs without a better validation loss before the phase ends; 0 = never.
        views: with `train="head"`: views of each training image whose features are computed once; 0 keeps no
            features and runs the frozen backbone on pictures that are augmented anew in every epoch.
        decay: of the `exponential` schedule, in (0, 1].
        batch_size: images a step; 0 = that of the settings, or with features sixteen steps an epoch.
        layer_decay: each stage of the backbone learns at the rate of the one behind it times this, in (0, 1].

    Raises:
        RecipeError: a name that does not exist or a number that makes no sense.
    """

    max_epochs: int = 10
    train: str = "all"
    lr: float = 1e-3
    backbone_lr_scale: float = 1.0
    weight_decay: float = 0.0
    optimiser: str = "adam"
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    patience: int = 0
    views: int = 1
    decay: float = 0.9
    batch_size: int = 0
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        for name, allowed in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in allowed:
                raise RecipeError(f"phase.{name}", expected=f"one of {', '.join(allowed)}", found=getattr(self, name))
        least = {"max_epochs": 1, "views": 0, "lr": 1e-12, "patience": 0, "warmup_epochs": 0, "weight_decay": 0}
        least |= {"batch_size": 0, "decay": 1e-6, "layer_decay": 1e-3}
        for name, smallest in least.items():
            if not getattr(self, name) >= smallest:
                raise RecipeError(f"phase.{name}", expected=f"at least {smallest:g}", found=str(getattr(self, name)))
        for name in ("decay", "layer_decay"):
            if getattr(self, name) > 1:
                raise RecipeError(f"phase.{name}", expected="at most 1", found=f"{getattr(self, name):g}")


def lr_factor(phase: Phase, epoch: float, max_epochs: int, val_losses: Sequence[float] = ()) -> float:
    """What the learning rate is multiplied by, a pure function of where the phase stands.

    Args:
        epoch: epochs done, with the fraction of the present one; in [0, max_epochs].
        max_epochs: how many the phase will have (a time budget may have shortened it).
        val_losses: validation loss of each finished epoch.

    Returns:
        A number in [0, 1].
    """
    if epoch < phase.warmup_epochs:
        return epoch / phase.warmup_epochs
    progress = (epoch - phase.warmup_epochs) / max(max_epochs - phase.warmup_epochs, 1e-9)
    if phase.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * min(progress, 1)))
    if phase.schedule == "step":
        return 0.1 ** min(int(progress * 3), 2)
    if phase.schedule == "exponential":
        return phase.decay ** (math.ceil(epoch) - 1 if epoch else 0)
    if phase.schedule == "plateau":
        return 0.1 ** _plateaus(val_losses)
    return 1.0


def _plateaus(val_losses: Sequence[float]) -> int:
    best, waited, drops = math.inf, 0, 0
    for loss in val_losses:
        waited = 0 if loss < best else waited + 1
        best = min(best, loss)
        if waited >= PLATEAU_EPOCHS:
            drops, waited = drops + 1, 0
    return drops
