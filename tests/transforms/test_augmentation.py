"""Augmentation: geometry against OpenCV and by hand, draws that depend on their seed alone."""

import cv2
import numpy as np
import pytest

from hilum.errors import RecipeError
from hilum.transforms import Augmentation, augment
from hilum.transforms.augmentation import affine_matrix

BATCH = np.random.default_rng(0).integers(0, 256, (4, 64, 64), dtype=np.uint8)
ALL = Augmentation(10, 0.1, 0.1, 5, 0.5, 0.1, 0.2, 0.2, 1.0, 0.05, 0.3, 0.3, 0.3, 0.1, 1.0, 0.1, 0.5)
STILL = {"rotation": 0.0, "shift": (0.0, 0.0), "scale": 1.0, "shear": 0.0, "flip": False}


def seeds(*numbers):
    return [(0, 0, number) for number in numbers]


def test_off_is_the_very_same_batch():
    assert augment(BATCH, Augmentation(), seeds(0, 1, 2, 3)) is BATCH


def test_an_image_looks_the_same_in_any_batch():
    whole = augment(BATCH, ALL, seeds(0, 1, 2, 3))
    alone = augment(BATCH[[2, 0]], ALL, seeds(2, 0))
    np.testing.assert_array_equal(whole[[2, 0]], alone)


def test_another_epoch_or_seed_looks_different():
    first = augment(BATCH[:1], ALL, [(0, 0, 0)])
    assert not np.array_equal(first, augment(BATCH[:1], ALL, [(0, 1, 0)]))
    assert not np.array_equal(first, augment(BATCH[:1], ALL, [(1, 0, 0)]))


def test_switching_one_change_off_leaves_the_others():
    with_flip = augment(BATCH, Augmentation(flip=1.0, contrast=0.3), seeds(0, 1, 2, 3))
    without = augment(BATCH, Augmentation(contrast=0.3), seeds(0, 1, 2, 3))
    np.testing.assert_array_equal(with_flip, without[:, :, ::-1])


def test_rotation_is_opencvs():
    ours = affine_matrix(65, **{**STILL, "rotation": 30.0})
    np.testing.assert_allclose(ours, cv2.getRotationMatrix2D((32, 32), 30, 1), atol=1e-9)


@pytest.mark.parametrize(
    ("change", "point", "expected"),
    [
        ({"flip": True}, (0, 5), (63, 5)),
        ({"shift": (0.25, -0.125)}, (10, 20), (26, 12)),
        ({"scale": 2.0}, (31.5, 41.5), (31.5, 51.5)),
        ({"shear": 45.0}, (31.5, 41.5), (41.5, 41.5)),
    ],
)
def test_where_a_point_goes(change, point, expected):
    matrix = affine_matrix(64, **{**STILL, **change})
    np.testing.assert_allclose(matrix @ [*point, 1], expected, atol=1e-9)


def test_rotation_stays_within_its_degrees():
    line = np.zeros((1, 101, 101), np.uint8)
    line[0, 50, 20:81] = 255
    angles = []
    for number in range(40):
        turned = augment(line, Augmentation(rotation=10), seeds(number))[0]
        rows, columns = np.nonzero(turned > 60)
        angles.append(np.degrees(np.arctan(np.polyfit(columns, rows, 1)[0])))
    assert max(np.abs(angles)) < 11
    assert max(angles) > 5 and min(angles) < -5


def test_flip_happens_as_often_as_it_says():
    marked = np.zeros((1, 16, 16), np.uint8)
    marked[0, :, 0] = 255
    flipped = sum(augment(marked, Augmentation(flip=0.3), seeds(n))[0, 0, -1] > 0 for n in range(1000))
    assert 250 < flipped < 350


def test_tones_blur_noise_equalise_and_erase_do_what_they_are_called():
    flat = np.full((1, 64, 64), 128, np.uint8)
    noisy = augment(flat, Augmentation(noise=0.1), seeds(5))[0].astype(float)
    assert 0 < noisy.std() <= 0.1 * 255 * 1.1
    assert np.unique(augment(flat, Augmentation(brightness=0.2), seeds(1))).size == 1
    assert augment(BATCH[:1], Augmentation(blur=2.0), seeds(3))[0].std() < BATCH[0].std()
    np.testing.assert_array_equal(
        augment(BATCH[:1], Augmentation(equalise=1.0), seeds(0))[0], cv2.equalizeHist(BATCH[0])
    )
    erased = augment(np.zeros((1, 100, 100), np.uint8), Augmentation(erase=1.0), seeds(0))[0]
    assert 0.01 < (erased == 128).mean() < 0.21


@pytest.mark.parametrize(
    ("field", "value"), [("flip", 1.5), ("rotation", -1), ("zoom", 1.0), ("crop", 0.5), ("jpeg", 2)]
)
def test_impossible_numbers(field, value):
    with pytest.raises(RecipeError, match=field):
        Augmentation(**{field: value})


def test_a_collimator_covers_the_edges_and_leaves_the_inside():
    many = np.random.default_rng(1).integers(1, 255, (40, 64, 64), dtype=np.uint8)
    covered = augment(many, Augmentation(collimate=1.0), seeds(*range(40)))
    changed = covered != many
    widest = int(0.15 * 64)
    assert not changed[:, widest:-widest, widest:-widest].any()
    edges = changed[:, : widest + 1, 32].sum(axis=1)  # rows that are covered from the top
    assert edges.min() < 2 and edges.max() > 6
    greys = [set(np.unique(after[before != after])) for before, after in zip(many, covered, strict=True)]
    assert all(len(grey) <= 1 for grey in greys)
    black = np.mean([grey == {0} for grey in greys])
    assert 0.3 < black < 0.7


def test_a_collimator_is_met_as_often_as_asked():
    many = np.random.default_rng(1).integers(1, 255, (200, 32, 32), dtype=np.uint8)
    met = (augment(many, Augmentation(collimate=0.3), seeds(*range(200))) != many).any(axis=(1, 2))
    assert 0.2 < met.mean() < 0.4


def test_a_crop_shows_a_part_of_the_picture_over_the_whole_square():
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    for number in range(20):
        cropped = augment(ramp[None], Augmentation(crop=0.2), seeds(number))[0].astype(int)
        left, right = cropped[32, 1], cropped[32, -2]
        assert 0 <= left <= 0.2 * 256 + 8 and 255 - 0.2 * 256 - 12 <= right <= 255
        slope = np.diff(cropped[32, 2:-2]).mean()
        assert 0.55 * 4 < slope <= 4.01  # what is left is stretched, never squeezed


def test_a_crop_is_a_resize_of_the_part():
    picture = cv2.GaussianBlur(BATCH[0], (0, 0), 4)
    matrix = affine_matrix(64, **STILL, crop=(0.25, 0.125, 0.0, 0.125))
    warped = cv2.warpAffine(picture, matrix, (64, 64), flags=cv2.INTER_LINEAR).astype(int)
    resized = cv2.resize(picture[16:, 8:56], (64, 64), interpolation=cv2.INTER_LINEAR).astype(int)
    assert np.abs(warped - resized)[2:-2, 2:-2].max() <= 2


def test_sharpening_is_the_opposite_of_blur():
    picture = cv2.GaussianBlur(BATCH, (0, 0), 2)
    grain = [cv2.Laplacian(each, cv2.CV_32F).std() for each in picture]
    sharper = augment(picture, Augmentation(sharpen=2.0), seeds(0, 1, 2, 3))
    assert all(cv2.Laplacian(each, cv2.CV_32F).std() > before for each, before in zip(sharper, grain, strict=True))
    flat = np.full((1, 32, 32), 90, np.uint8)
    np.testing.assert_array_equal(augment(flat, Augmentation(sharpen=2.0), seeds(0)), flat)


def test_shade_is_a_ramp_that_leaves_the_centre():
    flat = np.full((30, 65, 65), 128, np.uint8)
    lit = augment(flat, Augmentation(shade=0.2), seeds(*range(30))).astype(int)
    assert np.abs(lit[:, 32, 32] - 128).max() <= 1
    np.testing.assert_allclose(lit[:, 0, 0] - 128, 128 - lit[:, -1, -1], atol=1)
    brightest = np.abs(lit[:, 32, -1] - 128)
    assert 30 < brightest.max() <= 52 and brightest.min() < 10


def test_jpeg_is_met_as_often_as_asked_and_is_opencvs():
    picture = cv2.GaussianBlur(BATCH[0], (0, 0), 2)
    stored = augment(np.stack([picture] * 200), Augmentation(jpeg=0.3), seeds(*range(200)))
    met = (stored != picture).any(axis=(1, 2))
    assert 0.2 < met.mean() < 0.4
    known = [
        cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, q])[1], cv2.IMREAD_GRAYSCALE)
        for q in range(15, 96)
    ]
    assert all(any(np.array_equal(each, one) for one in known) for each in stored[met])


def test_new_changes_leave_the_draws_of_the_old_ones():
    old = augment(BATCH, Augmentation(rotation=8, noise=0.05, erase=0.5), seeds(0, 1, 2, 3))
    both = augment(BATCH, Augmentation(rotation=8, noise=0.05, erase=0.5, jpeg=1e-9), seeds(0, 1, 2, 3))
    np.testing.assert_array_equal(old, both)
