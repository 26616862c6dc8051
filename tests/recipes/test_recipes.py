"""Recipes are values: JSON holds them exactly, overrides are typed, mirrors of the library's values agree."""

import dataclasses
import json

import pytest

from hilum.recipes import schema
from hilum.recipes.convert import find_differences, from_json, override, to_json
from hilum.recipes.registry import RECIPES
from hilum.training.phase import Phase
from hilum.training.work import Settings
from hilum.transforms import Augmentation, Preprocessing


@pytest.mark.parametrize("name", RECIPES)
def test_json_holds_a_recipe_exactly(name):
    recipe = RECIPES[name]
    assert from_json(json.loads(json.dumps(to_json(recipe)))) == recipe
    assert recipe.name == name and recipe.description.endswith(".")


def test_missing_fields_take_their_defaults():
    assert from_json({"name": "x"}) == schema.Recipe("x")
    assert from_json({"name": "x", "phases": [{"lr": 1}]}).phases[0].lr == 1.0


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("phases.1.lr", "0.25", 0.25),
        ("model.name", "resnet18", "resnet18"),
        ("batch_size", "8", 8),
        ("overfit_check", "false", False),
        ("tta", "plain", ("plain",)),
    ],
)
def test_an_override_is_read_as_the_fields_type(field, text, expected):
    place = override(RECIPES["finetuned"], field, text)
    for part in field.split("."):
        place = place[int(part)] if part.isdigit() else getattr(place, part)
    assert place == expected and type(place) is type(expected)


def test_a_field_of_what_is_not_there_switches_it_on():
    assert override(RECIPES["best"], "distil.folds", "3").distil == schema.Distil(folds=3)
    assert override(RECIPES["best"], "neighbors.k", "7").neighbors == schema.Neighbors(k=7)
    assert RECIPES["best"].distil is None


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("phases.0.lrr", "1", "Did you mean `lr`"),
        ("phases.7.lr", "1", "below 2"),
        ("modell.name", "x", "Did you mean `model`"),
        ("batch_size", "many", "a number"),
        ("preprocessing.fit", "padd", "pad, stretch, crop"),
        ("overfit_check", "maybe", "true or false"),
    ],
)
def test_a_wrong_override_says_what_would_be_right(field, text, words):
    with pytest.raises(ValueError, match=words):
        override(RECIPES["finetuned"], field, text)


@pytest.mark.parametrize("document", [{"name": "x", "epochs": 3}, {"name": 3}, {"name": "x", "phases": {}}])
def test_a_document_that_is_no_recipe(document):
    with pytest.raises(ValueError, match="recipe"):
        from_json(document)


@pytest.mark.parametrize(
    ("recipe_value", "library_value"),
    [
        (schema.Augmentation, Augmentation),
        (schema.Preprocessing, Preprocessing),
        (schema.Phase, Phase),
    ],
)
def test_the_library_has_the_same_fields_and_defaults(recipe_value, library_value):
    def shape(kind):
        return {field.name: field.default for field in dataclasses.fields(kind)}

    assert shape(recipe_value) == shape(library_value)


def test_what_runs_share_has_the_defaults_of_a_recipe():
    recipe, settings = schema.Recipe("x"), Settings()
    for field in dataclasses.fields(Settings):
        if field.name not in ("augmentation", "seed", "soft_share"):  # the last is `distil.share`
            assert getattr(settings, field.name) == getattr(recipe, field.name), field.name


def test_only_the_settings_that_make_a_network_count_as_differences():
    one = to_json(RECIPES["finetuned"])
    other = to_json(override(override(RECIPES["finetuned"], "phases.1.lr", "0.25"), "description", "Another."))
    assert find_differences(one, one) == []
    assert find_differences(one, other) == [("phases.1.lr", str(one["phases"][1]["lr"]), "0.25")]
    fewer = find_differences(one, {**one, "phases": one["phases"][:1]})
    assert fewer and all(path.startswith("phases.1.") and b == "" for path, _, b in fewer)
