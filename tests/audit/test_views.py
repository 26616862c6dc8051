"""What probes see of a picture."""

import numpy as np
import pytest

from hilum.audit.views import PERCENTILES, SIDE, border_mask, corners_mask, outside_lungs_mask, take_views
from hilum.data.phantom import draw_dataset


@pytest.fixture
def canvases():
    return np.random.default_rng(0).integers(0, 256, (5, 112, 112)).astype(np.uint8)


def test_small_pixels_are_means_of_what_they_stand_for(canvases):
    means = canvases.reshape(5, SIDE, 4, SIDE, 4).mean(axis=(2, 4)).reshape(5, -1)
    np.testing.assert_allclose(take_views(canvases).small, means, atol=1e-3)


def test_tones_are_those_of_numpy(canvases):
    tones = take_views(canvases).tones
    for canvas, own in zip(canvases, tones, strict=True):
        expected = np.percentile(canvas, PERCENTILES, method="inverted_cdf")
        np.testing.assert_allclose(own[:2], [canvas.mean(), canvas.std()], rtol=1e-5)
        np.testing.assert_allclose(own[2:-2], expected, atol=1e-6)
        np.testing.assert_allclose(own[-2:], [(canvas == 0).mean(), (canvas == 255).mean()], atol=1e-6)


def test_grain_follows_fine_detail_and_not_grey_levels(canvases):
    smooth = np.full((2, 112, 112), 90, np.uint8)
    smooth[1] += 100
    grain = take_views(smooth).grain
    assert np.abs(grain).max() < 1e-3
    assert take_views(canvases).grain.min() > 3


def test_chunks_and_progress_make_no_difference(canvases, monkeypatch):
    whole = take_views(canvases)
    monkeypatch.setattr("hilum.audit.views.CHUNK", 2)
    seen = []
    parts = take_views(canvases, lambda done, total: seen.append((done, total)))
    assert seen == [(2, 5), (4, 5), (5, 5)]
    assert all(np.array_equal(getattr(whole, name), getattr(parts, name)) for name in ("small", "grain", "tones"))


def test_masks_leave_out_what_they_say():
    assert border_mask().sum() == SIDE**2 - 20**2
    lungs = np.zeros((SIDE, SIDE))
    for drawing in draw_dataset(images=12, size=SIDE * 4, seed=0):
        mask = np.zeros((SIDE * 4, SIDE * 4))
        height, width = drawing.lung_mask.shape
        top, left = (len(mask) - height) // 2, (len(mask) - width) // 2
        mask[top : top + height, left : left + width] = drawing.lung_mask
        lungs += mask.reshape(SIDE, 4, SIDE, 4).mean(axis=(1, 3))
    seen = {mask: (lungs * mask()).sum() / lungs.sum() for mask in (outside_lungs_mask, corners_mask, border_mask)}
    assert seen[outside_lungs_mask] < 0.03
    assert seen[corners_mask] < 0.04
    assert seen[border_mask] < 0.2
