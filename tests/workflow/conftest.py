"""A folder of little pictures that a tiny network can tell apart."""

import cv2
import numpy as np
import pytest

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


@pytest.fixture
def make_data(tmp_path):
    """Writes class folders; `independent` makes the pictures know nothing of the class."""

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
