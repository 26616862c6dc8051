"""A little problem that a tiny network learns in a second."""

import numpy as np
import pytest

from hilum.models import create_model
from hilum.training.datamodule import Examples
from hilum.transforms import Preprocessing

SMALL = Preprocessing(image_size=32, normalisation="half", channels=1)


@pytest.fixture
def preprocessing():
    return SMALL


@pytest.fixture
def make_examples():
    """N pictures, dark or with a bright square."""

    def make(count, seed=0, classes=2):
        generator = np.random.default_rng(seed)
        targets = generator.integers(0, classes, count).astype(np.int64)
        pictures = generator.integers(0, 100, (count, 32, 32)).astype(np.uint8)
        for target in range(1, classes):
            pictures[targets == target, 4 * target : 4 * target + 10, 6:20] += 60
        return Examples(pictures, targets)

    return make


@pytest.fixture
def make_network():
    def make(classes=2, **options):
        return create_model("cnn-tiny", num_classes=classes, in_channels=1, image_size=32, **options)

    return make
