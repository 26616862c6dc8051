"""All recipes by name."""

from __future__ import annotations

from types import ModuleType

from hilum.recipes import covid_small, defaults, hardened, imbalance_tta, kermany_transfer, resnet_anomaly, vgg_knn
from hilum.recipes.schema import Recipe

FILES: tuple[ModuleType, ...] = (
    defaults,
    hardened,
    kermany_transfer,
    imbalance_tta,
    vgg_knn,
    covid_small,
    resnet_anomaly,
)
"""Every module of recipes: `RECIPES`, and a header with source, figures, differences, command and cost."""

RECIPES: dict[str, Recipe] = {recipe.name: recipe for module in FILES for recipe in module.RECIPES}


def header_of(name: str) -> str:
    """The header of the file that a recipe stands in.

    Args:
        name: from `RECIPES`.
    """
    module = next(each for each in FILES if any(recipe.name == name for recipe in each.RECIPES))
    return (module.__doc__ or "").strip()
