"""A small study, made once; tests work on copies of it."""

import shutil

import cv2
import numpy as np
import pytest

import hilum
from hilum.recipes.schema import Model, Phase, Preprocessing, Recipe

TINY = Recipe(
    "tiny",
    model=Model("cnn-tiny"),
    preprocessing=Preprocessing(image_size=32, normalisation="half", channels=1),
    phases=(Phase(max_epochs=6, lr=3e-3, optimiser="adamw", schedule="cosine"),),
    batch_size=16,
    precision="32",
)


def draw_pictures(folder, per_class=60, seed=0):
    """Class folders of little pictures; two of a patient."""
    generator = np.random.default_rng(seed)
    for number, label in enumerate(("normal", "viral")):
        (folder / label).mkdir(parents=True)
        for image in range(per_class):
            picture = generator.integers(0, 150, (40, 36)).astype(np.uint8)
            picture[8 * number : 8 * number + 10, 8:20] += 60
            cv2.imwrite(str(folder / label / f"p{number}{image // 2:04}_{image % 2}.png"), picture)
    return folder


@pytest.fixture
def tiny():
    return TINY


@pytest.fixture
def make_pictures():
    return draw_pictures


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """(study folder, data folder): nobody may write into them."""
    root = tmp_path_factory.mktemp("finished")
    data = draw_pictures(root / "data")
    hilum.study(data, recipes=[TINY], out=root / "study", replicates=30, device="cpu")
    return root / "study", data


@pytest.fixture(scope="session")
def memory():
    """What was computed again for one copy serves the next, by the digests of all that it depends on."""
    return {}


@pytest.fixture
def study(finished, tmp_path):
    """A copy of the study that a test may spoil."""
    shutil.copytree(finished[0], tmp_path / "copy")
    return tmp_path / "copy"
