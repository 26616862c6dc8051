"""All recipes by name."""

from __future__ import annotations

from hilum.recipes import defaults
from hilum.recipes.schema import Recipe

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (*defaults.RECIPES,)}
