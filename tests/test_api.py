"""What `import hilum` offers."""

from pathlib import Path

import pytest

import hilum
from hilum import api
from hilum.recipes.schema import Recipe


@pytest.fixture
def asked(monkeypatch):
    """What `hilum.study` hands to the workflow, without running it."""
    calls = []
    monkeypatch.setattr(api, "run_study", lambda data, options, voice: calls.append((data, options)))
    return calls


def test_the_command_to_repeat_a_study_names_every_argument_that_matters(asked):
    arguments = {
        "labels": "kermany3",
        "recipes": ["frozen", Recipe("mine")],
        "time_budget": 90,
        "weights_dir": Path("w"),
    }
    hilum.study("xrays", **arguments, seed=3)
    data, options = asked[0]
    assert data == Path("xrays")
    assert options.command == (
        "hilum.study(data='xrays', labels='kermany3', recipes=['frozen', 'mine'], time_budget=90, weights_dir='w', "
        "seed=3)"
    )


def test_what_is_as_ever_is_not_repeated(asked):
    hilum.study()
    assert asked[0][1].command == "hilum.study()"
