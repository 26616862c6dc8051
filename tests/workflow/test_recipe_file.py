"""A recipe by name, from a Python file of the user's own, or from JSON; mistakes in it are one line."""

import json

import pytest

from hilum.errors import RecipeError
from hilum.recipes.convert import to_json
from hilum.recipes.registry import RECIPES
from hilum.workflow.recipe_file import find_recipe

START = "from hilum.recipes.schema import Model, Recipe\n"


@pytest.fixture
def write(tmp_path):
    def write(text, name="mine.py"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def test_one_recipe_needs_no_name_and_several_do(write):
    assert find_recipe(write(START + "MINE = Recipe('mine', batch_size=4)")).batch_size == 4
    several = write(START + "RECIPES = [Recipe('one'), Recipe('two')]\nHIDDEN = Recipe('three')")
    assert find_recipe(several + ":two").name == "two"
    with pytest.raises(RecipeError, match=r"mine\.py:NAME with one of one, two, found 2 recipes"):
        find_recipe(several)
    with pytest.raises(RecipeError, match="found three"):
        find_recipe(several + ":three")


def test_json_as_a_run_folder_holds_it(write):
    text = json.dumps(to_json(RECIPES["b-simplecnn-tta2"]))
    assert find_recipe(write(text, "recipe.json")) == RECIPES["b-simplecnn-tta2"]


def test_changes_are_typed():
    recipe = find_recipe("b-resnet50", ["phases.0.lr=1e-3", "model.hidden=64,32", "tta=plain,flip"])
    assert (recipe.phases[0].lr, recipe.model.hidden, recipe.tta) == (1e-3, (64, 32), ("plain", "flip"))
    assert find_recipe("e-resnet18-adapter", ["model.hidden=16"]).model.hidden == (16,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError in line 1"),
        ("a = 1\nb = a / 0", "ZeroDivisionError in line 2"),
        ("def broken(:", "SyntaxError in line 1"),
        (START, "expected a Recipe, found none"),
        ("import sys\nsys.exit(3)", "SystemExit in line 2"),
        (START + "RECIPES = [3]", "a int in RECIPES"),
        (START + "RECIPES = 3", "a int in RECIPES"),
        (START + "X = Recipe('x', batch_size='8')", "expected int, found '8'"),
        (START + "X = Recipe('x', model=Model(weights='imagnet'))", "imagenet"),
        (START + "X = Recipe('x', size=3)", "size"),
    ],
)
def test_mistakes_in_a_file_are_one_line(write, text, words):
    with pytest.raises(RecipeError, match=words) as raised:
        find_recipe(write(text))
    assert "\n" not in str(raised.value) and "mine.py" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "changes", "words"),
    [
        ("a-resnet5", [], "Did you mean `a-resnet50`"),
        ("nowhere.py", [], "expected a file"),
        ("a-resnet50", ["phases.0.lr"], "FIELD=VALUE"),
        ("a-resnet50", ["phases.0.lrr=1"], "Did you mean `lr`"),
        ("a-resnet50", ["batch_size=many"], "a number"),
    ],
)
def test_what_cannot_be_meant(text, changes, words):
    with pytest.raises(RecipeError, match=words):
        find_recipe(text, changes)


def test_json_that_is_no_recipe(write):
    with pytest.raises(RecipeError, match="Did you mean `batch_size`"):
        find_recipe(write('{"name": "x", "batchsize": 3}', "x.json"))
    with pytest.raises(RecipeError, match="as JSON"):
        find_recipe(write("[]", "x.json"))
