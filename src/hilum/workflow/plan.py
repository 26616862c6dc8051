"""Which recipes a study trains: those that were named, or what suits the data and the machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from hilum.errors import RecipeError, WeightsNotFound
from hilum.models import find_local_weights
from hilum.recipes.registry import RECIPES
from hilum.recipes.schema import Recipe
from hilum.workflow.recipe_file import find_recipe

TAKEN = ("cache", "drawn")
"""Folders of a study that are no runs."""

BACKBONES = ("mobilenetv2_100", "efficientnet_b0", "resnet18", "resnet50", "convnext_tiny")
"""Backbones that the default recipes know how to fine-tune, the best for a small machine first."""


LEAST_STEPS, QUICK_STEPS = 400, 60
"""Steps that each phase of a default recipe has at least."""


SHORT = 300.0
"""Seconds for a study below which the small network is trained as `scratch-cnn`: hardened, it needs more epochs."""


def plan_recipes(
    names: Sequence[str | Recipe] | None, weights_dir: Path | None, *, quick: bool, seconds: float | None
) -> tuple[tuple[Recipe, ...], tuple[str, ...]]:
    """The recipes of a study, the most promising first, and sentences about what was left out.

    Args:
        names: names or recipes; None chooses.
        weights_dir: where pre-trained weights may lie.
        quick: smaller and shorter.
        seconds: for the whole study; None = no limit.

    Raises:
        RecipeError: a name that no recipe has.
    """
    hurried = quick or (seconds is not None and seconds < SHORT)
    chosen, remarks = (named(names), ()) if names else _default(weights_dir, quick=quick, hurried=hurried)
    return tuple(_quick(recipe) for recipe in chosen) if quick else tuple(chosen), remarks


def suited(recipe: Recipe, train_images: int, *, quick: bool) -> Recipe:
    """The same recipe with more epochs where the data are so few that its epochs would be a handful of steps.

    Args:
        train_images: size of the training split.
    """
    least = QUICK_STEPS if quick else LEAST_STEPS
    steps = max(1, train_images // recipe.batch_size)
    phases = tuple(replace(phase, max_epochs=max(phase.max_epochs, least // steps)) for phase in recipe.phases)
    return replace(recipe, phases=phases)


def named(names: Iterable[str | Recipe]) -> list[Recipe]:
    """Recipes by name.

    Raises:
        RecipeError: a name that no recipe has, or one twice.
    """
    recipes = [name if isinstance(name, Recipe) else find_recipe(name) for name in names]
    for recipe in recipes:
        if not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", recipe.name) or recipe.name in TAKEN:
            raise RecipeError(
                "recipe name", expected="letters, digits, and . _ + - between them", found=repr(recipe.name)
            )
    repeated = {recipe.name for recipe in recipes if [each.name for each in recipes].count(recipe.name) > 1}
    if repeated:
        raise RecipeError("--recipes", expected="each recipe once", found=f"{sorted(repeated)[0]} more than once")
    return recipes


def _default(weights_dir: Path | None, *, quick: bool, hurried: bool) -> tuple[list[Recipe], tuple[str, ...]]:
    small = RECIPES["scratch-cnn" if hurried else "small-hardened"]
    there = find_local_weights(weights_dir)
    if weights_dir is not None and not there:
        raise WeightsNotFound(
            f"--weights-dir {weights_dir}",
            expected="a folder with one folder a model: NAME/config.json and NAME/model.safetensors",
            found="no such folder" if not weights_dir.is_dir() else "none of these",
        )
    backbone = next((name for name in BACKBONES if name in there), None)
    if backbone is None:
        remark = (
            "No pre-trained weights were found on this machine, so only networks that start from nothing are trained. "
            "Give a folder of weights with --weights-dir, or name a recipe such as `best` to fetch them."
        )
        return [small, *([] if quick else [RECIPES["scratch-vit"]])], (remark,)
    first = [RECIPES["frozen"]] if quick else [RECIPES["best"], RECIPES["frozen"]]
    return [*(_with_backbone(recipe, backbone) for recipe in first), small], ()


def _with_backbone(recipe: Recipe, backbone: str) -> Recipe:
    return replace(recipe, model=replace(recipe.model, name=backbone))


def _quick(recipe: Recipe) -> Recipe:
    """The same recipe, small enough to see in a minute whether everything works."""
    phases = tuple(replace(phase, max_epochs=min(phase.max_epochs, 3)) for phase in recipe.phases)
    if recipe.model.weights != "none":
        return replace(recipe, phases=phases)
    return replace(recipe, phases=phases, preprocessing=replace(recipe.preprocessing, image_size=96))
