"""Canvases: what each named choice does to a picture."""

import cv2
import numpy as np
import pytest
import torch

from hilum.errors import RecipeError
from hilum.transforms import Preprocessing, to_canvas
from hilum.transforms.normalise import normalise
from hilum.transforms.preprocessing import NORMALISATIONS

WIDE = np.full((100, 200), 200, np.uint8)


def test_pad_keeps_the_aspect_ratio_with_black_borders():
    canvas = to_canvas(WIDE, Preprocessing(image_size=64, fit="pad"))
    assert canvas.shape == (64, 64)
    assert (canvas[16:48] == 200).all()
    assert not canvas[:16].any() and not canvas[48:].any()


def test_stretch_fills_and_crop_keeps_the_centre():
    assert (to_canvas(WIDE, Preprocessing(image_size=64, fit="stretch")) == 200).all()
    marked = WIDE.copy()
    marked[:, :40] = 0
    assert (to_canvas(marked, Preprocessing(image_size=64, fit="crop")) == 200).all()


def test_reduction_does_not_alias():
    stripes = np.zeros((1024, 1024), np.uint8)
    stripes[:, ::2] = 255
    canvas = to_canvas(stripes, Preprocessing(image_size=64))
    assert canvas.min() > 120 and canvas.max() < 135


def test_sixteen_bits_keep_their_full_range():
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    canvas = to_canvas(ramp, Preprocessing(image_size=64))
    assert canvas.dtype == np.uint8
    assert canvas[0, 0] == 0 and canvas[-1, -1] == 255 and len(np.unique(canvas)) == 256


def test_equalisation_leaves_the_padding_out():
    picture = np.tile(np.linspace(100, 120, 200).astype(np.uint8), (100, 1))
    canvas = to_canvas(picture, Preprocessing(image_size=200, equalise=True))
    assert not canvas[:50].any()
    np.testing.assert_array_equal(canvas[50:150], cv2.equalizeHist(picture))


@pytest.mark.parametrize("name", NORMALISATIONS)
def test_normalisation_is_the_formula(name):
    canvases = np.random.default_rng(0).integers(0, 256, (2, 8, 8), dtype=np.uint8)
    mean, std = NORMALISATIONS[name]
    found = normalise(torch.from_numpy(canvases), normalisation=name, channels=3)
    expected = np.stack([(canvases / 255 - m) / s for m, s in zip(mean, std, strict=True)], axis=1)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_one_channel_and_the_range_contract():
    canvases = torch.full((1, 4, 4), 255, dtype=torch.uint8)
    assert normalise(canvases, normalisation="half", channels=1).shape == (1, 1, 4, 4)
    assert normalise(canvases, normalisation="minus-one-one", channels=1).max() == pytest.approx(1)
    with pytest.raises(RecipeError, match="uint8"):
        normalise(canvases.float() / 255, normalisation="half", channels=1)
    with pytest.raises(RecipeError, match="imagenet"):
        normalise(canvases, normalisation="imagnet", channels=1)


@pytest.mark.parametrize(
    ("field", "value"), [("fit", "padd"), ("normalisation", "z"), ("channels", 2), ("image_size", 4)]
)
def test_impossible_choices(field, value):
    with pytest.raises(RecipeError, match=field):
        Preprocessing(**{field: value})
