"""Overlays: where the map is 0 the X-ray is untouched; a map finds its way back through pad, crop and stretch."""

import numpy as np
import pytest

from hilum.inspection.cam.overlay import draw_overlay, enlarge, onto_picture, reduced
from hilum.transforms import Preprocessing, to_canvas


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("shape", [(120, 200), (200, 120), (90, 90)])
def test_a_map_of_the_bright_spot_lands_on_the_bright_spot(fit, shape):
    picture = np.zeros(shape, np.uint8)
    row, column = shape[0] // 2 - 20, shape[1] // 2 + 14
    picture[row - 6 : row + 6, column - 6 : column + 6] = 255
    preprocessing = Preprocessing(image_size=64, fit=fit)
    heat = to_canvas(picture, preprocessing).astype(np.float32) / 255
    placed = onto_picture(heat, preprocessing, *shape)
    assert placed.shape == shape
    hot = np.argwhere(placed > 0.5).mean(axis=0)
    np.testing.assert_allclose(hot, (row - 0.5, column - 0.5), atol=2)


def test_what_a_crop_never_showed_to_the_network_has_no_heat():
    placed = onto_picture(np.ones((32, 32), np.float32), Preprocessing(image_size=32, fit="crop"), 40, 100)
    assert not placed[:, :30].any() and not placed[:, 70:].any() and (placed[:, 30:70] == 1).all()


def test_the_x_ray_stays_where_the_map_is_zero_and_takes_colour_where_it_is_hot():
    picture = np.random.default_rng(0).integers(0, 255, (50, 60), dtype=np.uint8)
    heat = np.zeros((50, 60), np.float32)
    heat[10:20, 10:20] = 1
    drawn = draw_overlay(picture, heat, contour=False)
    assert drawn.shape == (50, 60, 3) and drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn[25:], np.repeat(picture[25:, :, None], 3, axis=2))
    hot = drawn[12:18, 12:18].astype(int)
    assert (hot[..., 0] - hot[..., 2]).mean() > 60
    np.testing.assert_array_equal(draw_overlay(picture, np.zeros_like(heat))[..., 0], picture)


def test_each_map_is_scaled_to_its_own_maximum_and_an_empty_one_stays_empty():
    maps = np.stack([np.eye(4), 9 * np.eye(4), np.zeros((4, 4))])
    large = enlarge(maps, 40)
    assert large.shape == (3, 40, 40)
    np.testing.assert_allclose(large.max(axis=(1, 2)), [1, 1, 0])
    np.testing.assert_allclose(large[0], large[1], atol=1e-6)
    assert enlarge(np.empty((0, 4, 4)), 40).shape == (0, 40, 40)


def test_a_large_picture_is_reduced_and_a_small_one_is_not_enlarged():
    assert reduced(np.zeros((1000, 2000), np.uint16)).shape == (512, 1024)
    assert reduced(np.zeros((30, 20), np.uint8)).shape == (30, 20)
