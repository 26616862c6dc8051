"""What a search may try: fields of a recipe and their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from hilum.errors import RecipeError, UsageError
from hilum.recipes.convert import from_json, override, to_json
from hilum.recipes.schema import Range, Recipe

EXAMPLE = "FIELD=LOW..HIGH, FIELD=LOW..HIGH:log or FIELD=A,B,C, such as phases.0.lr=1e-5..1e-2:log"


def make_space(recipe: Recipe, texts: Sequence[str]) -> tuple[Range, ...]:
    """The fields that are searched: those that were named, else the recipe's own, else the usual ones.

    Raises:
        UsageError: a text that is no range.
        RecipeError: a field that does not exist, or values that it cannot have.
    """
    space = tuple(_range(text) for text in texts) or recipe.search or _usual(recipe)
    for each in space:
        for value in each.choices or (repr(each.low), repr(each.high)):
            apply_values(recipe, {each.field: _as_typed(recipe, each, value)})
        if not each.choices and not (each.low < each.high and (each.low > 0 or not each.log)):
            found = f"{each.low:g} to {each.high:g}"
            raise RecipeError(f"search of {each.field}", expected="low < high, above 0 for log", found=found)
    fields = [each.field for each in space]
    if len(set(fields)) < len(fields):
        raise UsageError("--space", expected="each field once", found=", ".join(fields))
    return space


def apply_values(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with these fields changed.

    Raises:
        RecipeError: a field that does not exist, or a value that it cannot have.
    """
    for field, value in values.items():
        try:
            recipe = override(recipe, field, str(value))
        except ValueError as error:
            raise RecipeError(f"search of {field}: {error}") from None
    return recipe


def is_whole(recipe: Recipe, field: str) -> bool:
    """Whether a field holds a whole number."""
    place: Any = to_json(from_json(to_json(recipe)))
    for part in field.split("."):
        place = place[int(part)] if isinstance(place, list) else place[part]
    return isinstance(place, int) and not isinstance(place, bool)


def _as_typed(recipe: Recipe, each: Range, value: str) -> str:
    """An end of a range as it would be typed; checks on the way that there is such a field."""
    if not each.choices:
        apply_values(recipe, {each.field: round(float(value))})
    return str(round(float(value))) if not each.choices and is_whole(recipe, each.field) else value


def _range(text: str) -> Range:
    field, equals, values = (part.strip() for part in text.partition("="))
    number = r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?"
    ends = re.fullmatch(rf"({number})\.\.({number})(:log)?", values)
    if equals and ends:
        if not all(isfinite(float(end)) for end in ends.groups()[:2]):
            raise UsageError("--space", expected="ends that a number can hold", found=text)
        return Range(field, float(ends[1]), float(ends[2]), bool(ends[3]))
    choices = tuple(part.strip() for part in values.split(",") if part.strip())
    if not equals or len(choices) < 2 or ".." in values:
        raise UsageError("--space", expected=EXAMPLE, found=text)
    return Range(field, choices=choices)


def _usual(recipe: Recipe) -> tuple[Range, ...]:
    """Learning rates within a factor of ten either way, dropout, and weight decay of the last phase."""
    rates = [
        Range(f"phases.{number}.lr", phase.lr / 10, phase.lr * 10, log=True)
        for number, phase in enumerate(recipe.phases)
    ]
    last = f"phases.{len(recipe.phases) - 1}.weight_decay"
    return (*rates, Range("model.dropout", 0.0, 0.6), Range(last, 1e-6, 1e-1, log=True))
