"""The batched changes in torch make the pictures that OpenCV's make, one draw for one draw."""

import numpy as np
import pytest
import torch

from hilum.data.phantom import draw_dataset
from hilum.transforms import Augmentation, Preprocessing, augment, to_canvas
from hilum.transforms.on_device import _normal, augment_on_device

SIDE = 96
DRAWN = draw_dataset(images=12, size=SIDE, seed=2)
CANVASES = np.stack([to_canvas(DRAWN[i].pixels, Preprocessing(image_size=SIDE)) for i in range(len(DRAWN))])
SEEDS = [(7, 3, number) for number in range(len(CANVASES))]


def both(augmentation, canvases=CANVASES, seeds=SEEDS):
    theirs = augment_on_device(torch.from_numpy(canvases), augmentation, seeds)
    assert theirs.dtype == torch.uint8
    return augment(canvases, augmentation, seeds).astype(int), theirs.numpy().astype(int)


@pytest.mark.parametrize(
    "change",
    [{"flip": 0.5}, {"equalise": 0.5}, {"brightness": 0.2, "contrast": 0.3, "gamma": 0.4}, {"erase": 0.5},
     {"collimate": 0.5}, {"shade": 0.3}, {"jpeg": 0.5}],
)  # fmt: skip
def test_exact_changes_are_equal(change):
    ours, theirs = both(Augmentation(**change))
    assert not np.array_equal(ours, CANVASES)
    assert np.abs(ours - theirs).max() <= 1 and (ours != theirs).mean() < 0.01


@pytest.mark.parametrize(
    "change",
    [{"rotation": 15}, {"shift": 0.1, "zoom": 0.2}, {"shear": 10}, {"blur": 2.0}, {"crop": 0.2}, {"sharpen": 1.5}],
)
def test_resampled_changes_are_equal_up_to_rounding(change):
    ours, theirs = both(Augmentation(**change))
    assert np.abs(ours - CANVASES).mean() > 0.5
    assert np.abs(ours - theirs).mean() < 0.6 and np.percentile(np.abs(ours - theirs), 99.5) <= 4


def test_all_at_once_stays_close():
    ours, theirs = both(Augmentation(rotation=8, shift=0.05, zoom=0.1, flip=0.5, contrast=0.2, blur=0.8, erase=0.3))
    assert np.abs(ours - theirs).mean() < 1.0


def test_noise_is_as_strong_and_normal():
    grey = np.full_like(CANVASES, 128)
    ours, theirs = both(Augmentation(noise=0.1), grey)
    np.testing.assert_allclose(theirs.std((1, 2)), ours.std((1, 2)), rtol=0.05, atol=0.1)
    numbers = _normal(torch.tensor([1, 2, 3]), (200, 200))
    assert abs(float(numbers.mean())) < 0.01 and float(numbers.std()) == pytest.approx(1, abs=0.01)
    assert float((numbers**4).mean()) == pytest.approx(3, abs=0.1)
    assert abs(np.corrcoef(numbers[0].flatten(), numbers[1].flatten())[0, 1]) < 0.02


def test_an_image_looks_the_same_in_any_batch():
    changes = Augmentation(rotation=8, shift=0.05, noise=0.1, equalise=0.5, erase=0.5, collimate=0.5)
    _, whole = both(changes)
    _, alone = both(changes, CANVASES[[5, 2]], [SEEDS[5], SEEDS[2]])
    np.testing.assert_array_equal(whole[[5, 2]], alone)


def test_off_is_the_very_same_batch():
    batch = torch.from_numpy(CANVASES)
    assert augment_on_device(batch, Augmentation(), SEEDS) is batch
