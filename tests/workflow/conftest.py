"""A folder of little pictures that a tiny network can tell apart."""

import cv2
import numpy as np
import pytest

import hilum
from hilum.recipes.schema import Augmentation, Model, Phase, Preprocessing, Recipe

TINY = Recipe(
    "tiny",
    model=Model("cnn-tiny"),
    preprocessing=Preprocessing(image_size=32, normalisation="half", channels=1),
    augmentation=Augmentation(flip=0.5),
    phases=(Phase(max_epochs=8, lr=3e-3, optimiser="adamw", schedule="cosine"),),
    batch_size=16,
    precision="32",
    tta=("plain", "flip"),
)


@pytest.fixture
def tiny():
    return TINY


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A finished study of little pictures, and the folder of them; tests add to its ledger and to nothing else."""
    root = tmp_path_factory.mktemp("trained")
    data = _data_maker(root)()
    return hilum.study(data, recipes=[TINY], out=root / "study", replicates=20, device="cpu"), data


@pytest.fixture
def make_data(tmp_path):
    """Writes class folders; `independent` makes the pictures know nothing of the class."""
    return _data_maker(tmp_path)


def _data_maker(tmp_path):
    def make(name="data", per_class=60, independent=False, labels=("normal", "viral"), seed=0):
        generator = np.random.default_rng(seed)
        for number, label in enumerate(labels):
            folder = tmp_path / name / label
            folder.mkdir(parents=True)
            for image in range(per_class):
                picture = generator.integers(0, 120, (40, 36)).astype(np.uint8)
                if number and not independent:
                    picture[8 * number : 8 * number + 10, 8:20] += 100
                cv2.imwrite(str(folder / f"p{number}{image:04}_1.png"), picture)
        return tmp_path / name

    return make
