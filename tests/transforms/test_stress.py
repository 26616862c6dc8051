"""Pictures as they might look elsewhere: the same for the same seed, other for each copy, and still the picture."""

import numpy as np

from hilum.data.phantom import draw_dataset
from hilum.transforms import Preprocessing, to_canvas
from hilum.transforms.stress import stress_of, stressed

SIDE = 96
DRAWN = draw_dataset(images=10, size=SIDE, seed=3)
CANVASES = np.stack([to_canvas(DRAWN[i].pixels, Preprocessing(image_size=SIDE)) for i in range(len(DRAWN))])


def test_the_same_seed_sees_the_same_and_another_does_not():
    once = stressed(CANVASES, 2)
    assert once.shape == (20, SIDE, SIDE) and once.dtype == np.uint8
    np.testing.assert_array_equal(once, stressed(CANVASES, 2))
    assert not np.array_equal(once, stressed(CANVASES, 2, seed=1))
    assert not np.array_equal(once[:10], once[10:])


def test_it_is_still_the_same_picture():
    seen = stressed(CANVASES, 1)
    alike = [np.corrcoef(before.ravel(), after.ravel())[0, 1] for before, after in zip(CANVASES, seen, strict=True)]
    assert np.median(alike) > 0.7 and max(alike) < 0.9999


def test_a_small_picture_is_blurred_by_fewer_pixels():
    assert stress_of(64).blur == stress_of(192).blur / 3
