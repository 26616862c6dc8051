"""A recipe from what a user types: a name, a Python file of their own, or a JSON document."""

from __future__ import annotations

import difflib
import importlib.util
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

from hilum.errors import RecipeError
from hilum.recipes.convert import from_json, override, to_json
from hilum.recipes.registry import RECIPES
from hilum.recipes.schema import Recipe

ENDINGS = (".py", ".json")


def find_recipe(text: str, changes: Iterable[str] = ()) -> Recipe:
    """The recipe that is meant, with single fields changed.

    Args:
        text: a name from `hilum recipes`; `FILE.py`, which exports one Recipe, or several of which `FILE.py:NAME` takes
            one; or `FILE.json`.
        changes: `field=value` texts, such as `phases.0.lr=1e-4`.

    Raises:
        RecipeError: no such name, file, recipe or field (the nearest right one is named), or a value of another kind.
    """
    recipe = _from_file(text) if _is_file(text) else _by_name(text)
    for change in changes:
        field, equals, value = change.partition("=")
        if not equals:
            raise RecipeError("--set", expected="FIELD=VALUE such as phases.0.lr=1e-4", found=change)
        try:
            recipe = override(recipe, field.strip(), value.strip())
        except ValueError as error:
            raise RecipeError(f"--set {change}: {error}") from None
    return recipe


def _is_file(text: str) -> bool:
    return Path(text.partition(".py:")[0] + ".py" if ".py:" in text else text).suffix in ENDINGS


def _by_name(name: str) -> Recipe:
    if name in RECIPES:
        return RECIPES[name]
    near = difflib.get_close_matches(name, RECIPES, n=1, cutoff=0.4)
    way_out = f"Did you mean `{near[0]}`? " if near else ""
    raise RecipeError(
        "recipe", expected="a name, a .py or a .json file", found=name, way_out=f"{way_out}`hilum recipes` lists all."
    )


def _from_file(text: str) -> Recipe:
    head, colon, wanted = text.partition(".py:")
    path = Path(f"{head}.py" if colon else text)
    if not path.is_file():
        raise RecipeError(f"recipe file {path}", expected="a file", found="none")
    if path.suffix == ".json":
        return _from_json_file(path)
    recipes = {recipe.name: recipe for recipe in _exported(_run(path), path)}
    if not wanted and len(recipes) == 1:
        return next(iter(recipes.values()))
    if wanted in recipes:
        return recipes[wanted]
    found = wanted or f"{len(recipes)} recipes"
    raise RecipeError(
        f"recipe file {path.name}", expected=f"{path.name}:NAME with one of {', '.join(recipes)}", found=found
    )


def _from_json_file(path: Path) -> Recipe:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, Mapping):
            raise ValueError("no JSON object")
        return from_json(document)
    except (ValueError, TypeError) as error:
        raise RecipeError(f"recipe file {path.name}", expected="a recipe as JSON", found=str(error)) from None


def _run(path: Path) -> ModuleType:
    """Executes a user's own file: it is their code, as when they run it themselves."""
    spec = importlib.util.spec_from_file_location(f"hilum_recipe_file_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise RecipeError(f"recipe file {path.name}", expected="a Python file", found="none that can be imported")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a user's file raises is theirs to read
        line = next((f" in line {each}" for each in [_line_of(error, path)] if each), "")
        found = f"{type(error).__name__}{line}: {error}"
        raise RecipeError(f"recipe file {path.name}", expected="a file that runs", found=found) from None
    return module


def _line_of(error: BaseException, path: Path) -> int:
    """The last line of the user's file that the error passed through."""
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    line, traceback = 0, error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(path):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def _exported(module: ModuleType, path: Path) -> list[Recipe]:
    """What `RECIPES` holds; without it every Recipe of the file."""
    named = getattr(module, "RECIPES", None)
    if named is None:
        recipes = [value for name, value in vars(module).items() if isinstance(value, Recipe) and name[0] != "_"]
    else:
        values = named.values() if isinstance(named, Mapping) else named
        recipes = list(values) if isinstance(values, Iterable) else [values]
    wrong = [each for each in recipes if not isinstance(each, Recipe)]
    if wrong or not recipes:
        found = f"a {type(wrong[0]).__name__} in RECIPES" if wrong else "none"
        way_out = "Write `from hilum.recipes.schema import Recipe` and a value `MINE = Recipe(name=...)`."
        raise RecipeError(f"recipe file {path.name}", expected="a Recipe", found=found, way_out=way_out)
    for recipe in recipes:
        try:
            from_json(to_json(recipe))  # Python checks no types: JSON's rules do
        except ValueError as error:
            raise RecipeError(f"recipe file {path.name}, {recipe.name}", found=str(error)) from None
    return recipes
