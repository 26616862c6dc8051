"""Which recipes a study trains when nobody says which."""

import json

import pytest
from safetensors.torch import save_file

from hilum.errors import WeightsNotFound
from hilum.models import create_model
from hilum.workflow.plan import SHORT, plan_recipes


@pytest.fixture
def weights(tmp_path):
    """A folder that holds what looks like ResNet18."""
    folder = tmp_path / "weights" / "resnet18"
    folder.mkdir(parents=True)
    state = {
        key.removeprefix("backbone."): value
        for key, value in create_model("resnet18", num_classes=2).state_dict().items()
    }
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": "resnet18"}))
    return folder.parent


def names(recipes):
    return [recipe.name for recipe in recipes]


def test_our_own_best_come_first_where_there_are_weights(weights):
    recipes, remarks = plan_recipes(None, weights, quick=False, seconds=None)
    assert names(recipes) == ["best", "frozen", "small-hardened"]
    assert [recipe.model.name for recipe in recipes] == ["resnet18", "resnet18", "cnn-small"]
    assert remarks == ()


def test_without_weights_only_what_starts_from_nothing_and_a_word_of_why(tmp_path, monkeypatch):
    monkeypatch.delenv("HILUM_WEIGHTS", raising=False)
    monkeypatch.setattr("hilum.workflow.plan.find_local_weights", lambda folder: {})
    recipes, (remark,) = plan_recipes(None, None, quick=False, seconds=2 * SHORT)
    assert names(recipes) == ["small-hardened", "scratch-vit"]
    assert "--weights-dir" in remark


@pytest.mark.parametrize(("quick", "seconds"), [(True, None), (False, SHORT - 1)])
def test_who_has_no_time_gets_the_network_that_learns_sooner(weights, quick, seconds):
    assert names(plan_recipes(None, weights, quick=quick, seconds=seconds)[0])[-1] == "scratch-cnn"


def test_a_folder_without_weights_is_an_error(tmp_path):
    with pytest.raises(WeightsNotFound, match="found none of these"):
        plan_recipes(None, tmp_path, quick=False, seconds=None)
