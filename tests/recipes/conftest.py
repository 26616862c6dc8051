"""A drawn data set of two classes that every recipe can be tried on, and recipes small enough to try."""

from dataclasses import replace

import pytest

from hilum.data.phantom import draw_dataset, write_dataset
from hilum.recipes.registry import RECIPES
from hilum.workflow.data import study_data
from hilum.workflow.options import Options

SIDES = {"vanilla-cnn": 88}
"""Smallest side that a network can be built for where 32 pixels are too few."""


@pytest.fixture(scope="session")
def options():
    return Options(replicates=20, device="cpu", test_fraction=0.25)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory, options):
    """A folder with a manifest of 24 little X-rays, and the manifest."""
    folder = tmp_path_factory.mktemp("toy")
    dataset = draw_dataset(images=24, classes=("normal", "bacterial"), size=64, difficulty=0.0, seed=0)
    write_dataset(dataset, folder / "data", layout="folders")
    study_dir = folder / "study"
    study_dir.mkdir()
    return study_dir, study_data(folder / "data", study_dir, options, [], lambda *_: None).manifest


@pytest.fixture
def shrink():
    """The same recipe on small pictures without pre-trained weights, one epoch a phase."""

    def shrink(name):
        recipe = RECIPES[name]
        phases = tuple(
            replace(phase, max_epochs=1, batch_size=min(phase.batch_size, 8), views=min(phase.views, 2))
            for phase in recipe.phases
        )
        side = SIDES.get(recipe.model.name, 32)
        return replace(
            recipe,
            model=replace(recipe.model, weights="none"),
            preprocessing=replace(recipe.preprocessing, image_size=side),
            phases=phases,
            batch_size=8,
            precision="32",
            overfit_check=False,
        )

    return shrink
