"""The arms of `ablation.py`: a plain recipe, each part added to it by itself, and whole recipes."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from hilum.recipes.registry import RECIPES
from hilum.recipes.schema import Augmentation, Recipe

WARP = {"rotation": 12, "shift": 0.08, "zoom": 0.25, "shear": 5}
BORDER = {"collimate": 0.5}
SOFTER = {"blur": 1.7, "noise": 0.04}
TONE = {"brightness": 0.15, "contrast": 0.35, "gamma": 0.4}
ERASE = {"erase": 0.25}
CROP = {"crop": 0.15}
SHARPER = {"sharpen": 1.5}
SHADE = {"shade": 0.2}
JPEG = {"jpeg": 0.5}
CANDIDATES = {"small": "small-hardened", "finetuned": "best"}
"""Recipe -> the one that follows it."""


def arms_of(name: str, size: int, epochs: int, batch_size: int = 0) -> dict[str, Recipe]:
    """Name -> recipe.

    Args:
        name: of the recipe whose network is trained.
        size: pixels a side.
        epochs: of the longest phase.
        batch_size: images a step; 0 = the recipe's.
    """
    base = shortened(RECIPES[name], size, epochs)
    base = replace(base, batch_size=batch_size or base.batch_size)
    plain = replace(base, augmentation=Augmentation(flip=0.5), label_smoothing=0.0, ema=0.0)
    added = {"warp": WARP, "border": BORDER, "blur-noise": SOFTER, "tone": TONE, "erase": ERASE}
    taken = dict(added)
    added |= {"crop": CROP, "sharpen": SHARPER, "shade": SHADE, "jpeg": JPEG}
    arms = {"plain": plain}
    arms |= {f"+{part}": augmented(plain, **changes) for part, changes in added.items()}
    arms |= {"+smoothing": replace(plain, label_smoothing=0.1), "+ema": replace(plain, ema=ema_of(epochs))}
    arms["+mixup"] = replace(plain, mixup=0.3)
    arms["whole"] = replace(base, ema=ema_of(epochs))
    more = augmented(arms["whole"], **CROP, **SHARPER, **SHADE, **JPEG)
    arms["whole+4"] = more
    arms["whole+4+mixup"] = replace(more, mixup=0.3)
    arms |= {
        f"whole-{part}": augmented(arms["whole"], **dict.fromkeys(changes, 0.0)) for part, changes in taken.items()
    }
    candidate = shortened(RECIPES[CANDIDATES[name]], size, epochs)
    arms["candidate"] = replace(candidate, batch_size=base.batch_size, ema=ema_of(epochs))
    arms |= less_one(arms["candidate"], taken | {"jpeg": JPEG})
    if name == "finetuned":
        arms |= of_transfer(arms["whole"])
        alike = tuple(replace(phase, layer_decay=1.0, backbone_lr_scale=0.5) for phase in candidate.phases)
        arms["candidate-decay"] = replace(arms["candidate"], phases=alike)
    return arms


def less_one(candidate: Recipe, parts: dict[str, dict[str, float]]) -> dict[str, Recipe]:
    """The recipe that follows, each time without one of its parts, and once with mixup, which it has not."""
    arms = {f"candidate-{part}": augmented(candidate, **dict.fromkeys(changes, 0.0)) for part, changes in parts.items()}
    arms["candidate+mixup"] = replace(candidate, mixup=0.2)
    arms["candidate-smoothing"] = replace(candidate, label_smoothing=0.0)
    arms["candidate-ema"] = replace(candidate, ema=0.0)
    return arms


def of_transfer(whole: Recipe) -> dict[str, Recipe]:
    """What concerns only networks that were trained before: how fast which stages learn, and from when on."""
    *_, last = whole.phases
    slower = tuple(replace(phase, layer_decay=0.75, backbone_lr_scale=1.0) for phase in whole.phases)
    opened = tuple(
        replace(last, train=part, max_epochs=max(1, round(last.max_epochs * share)))
        for part, share in (("last:3", 0.25), ("all", 0.75))
    )
    return {
        "whole, layer decay": replace(whole, phases=slower),
        "whole, unfrozen in steps": replace(whole, phases=(*whole.phases[:-1], *opened)),
        "whole, no head first": replace(whole, phases=(last,)),
    }


def shortened(recipe: Recipe, size: int, epochs: int) -> Recipe:
    """A recipe on smaller pictures and with fewer epochs, without the check that it can learn by heart."""
    longest = max(phase.max_epochs for phase in recipe.phases)
    phases = tuple(
        replace(phase, max_epochs=max(1, round(phase.max_epochs * epochs / longest))) for phase in recipe.phases
    )
    canvas = replace(recipe.preprocessing, image_size=size)
    return replace(recipe, preprocessing=canvas, phases=phases, overfit_check=False)


def augmented(recipe: Recipe, **changes: Any) -> Recipe:
    """A recipe with more augmentation."""
    known = {field.name for field in fields(Augmentation)}
    assert set(changes) <= known
    return replace(recipe, augmentation=replace(recipe.augmentation, **changes))


def ema_of(epochs: int) -> float:
    """A decay that forgets within a fifth of so short a training (about 32 steps an epoch)."""
    return 1 - 5 / (32 * epochs)
