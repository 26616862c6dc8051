"""The rows of the systems on networks and pictures small enough to try, and data in the shape of theirs."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from hilum.recipes.registry import RECIPES
from hilum.recipes.schema import Augmentation

SPLITS = {"train": 30, "test": 12}


@pytest.fixture
def small_recipes(monkeypatch):
    """Every row of the five systems with a tiny network from random values; all else of a recipe stays."""
    for name, recipe in RECIPES.items():
        if name[1] == "-" and name[0] in "abcde":
            phase = replace(recipe.phases[-1], max_epochs=12, train="all", lr=3e-3, optimiser="adamw", patience=0)
            first = replace(phase, max_epochs=2)
            if recipe.anomaly is not None:  # its network stays: an autoencoder is small
                side = replace(recipe.preprocessing, image_size=32)
                small = replace(recipe, preprocessing=side, phases=(replace(recipe.phases[0], max_epochs=2),))
                monkeypatch.setitem(RECIPES, name, replace(small, anomaly=replace(recipe.anomaly, quantile=0.6)))
                continue
            small = replace(
                recipe,
                model=replace(recipe.model, name="cnn-tiny", weights="none", hidden=recipe.model.hidden and (8,)),
                preprocessing=replace(recipe.preprocessing, image_size=32, channels=1, normalisation="half"),
                augmentation=Augmentation(),
                phases=(phase,) if len(recipe.phases) == 1 else (first, phase),
                batch_size=16,
                precision="32",
                overfit_check=False,
            )
            monkeypatch.setitem(RECIPES, name, small)
    return RECIPES


@pytest.fixture
def kermany(tmp_path):
    """Folders and file names of the children's chest X-rays, pictures that a tiny network can tell apart."""
    generator = np.random.default_rng(0)
    for split, count in SPLITS.items():
        for number, (folder, name) in enumerate(
            [("NORMAL", "IM-{}-0001"), ("PNEUMONIA", "person{}_bacteria_1"), ("PNEUMONIA", "person{}_virus_1")]
        ):
            (tmp_path / "kermany" / split / folder).mkdir(parents=True, exist_ok=True)
            for image in range(count):
                picture = generator.integers(0, 90, (36, 36)).astype(np.uint8)
                picture[11 * number : 11 * number + 11, 6:28] += 140
                label = name.format(f"{image + (0 if split == 'train' else 500):04}")
                cv2.imwrite(str(tmp_path / "kermany" / split / folder / f"{label}.png"), picture)
    return tmp_path / "kermany"


@pytest.fixture
def covid(tmp_path):
    """Two class folders without a test split."""
    generator = np.random.default_rng(1)
    for number, folder in enumerate(("COVID", "NORMAL")):
        (tmp_path / "covid" / folder).mkdir(parents=True)
        for image in range(48):
            picture = generator.integers(0, 90, (36, 36)).astype(np.uint8)
            picture[14 * number : 14 * number + 14, 6:28] += 140
            cv2.imwrite(str(tmp_path / "covid" / folder / f"p{number}{image // 2:03}_{image % 2}.png"), picture)
    return tmp_path / "covid"
