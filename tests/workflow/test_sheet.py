"""A sheet of augmented pictures: what it shows is what training would make of them."""

import numpy as np
import pytest

from hilum.errors import DataError, UsageError
from hilum.images import read_image
from hilum.recipes.registry import RECIPES
from hilum.report.augmented import CELL, GAP, MARGIN, describe_augmentation, make_versions
from hilum.transforms import Augmentation, augment, to_canvas
from hilum.workflow.network import augmentation_of, preprocessing_of
from hilum.workflow.sheet import make_sheet


def test_versions_are_training_s_own():
    canvas = np.random.default_rng(0).integers(0, 255, (32, 32)).astype(np.uint8)
    augmentation = Augmentation(rotation=20, noise=0.1)
    versions = make_versions(canvas, augmentation, seed=3, row=7, count=4)
    for epoch in range(4):
        np.testing.assert_array_equal(versions[epoch], augment(canvas[None], augmentation, [(3, epoch, 7)])[0])


def test_a_row_an_image_the_classes_in_turn_and_a_column_a_view(make_data):
    data = make_data(per_class=8)
    sheet = make_sheet(RECIPES["b-simplecnn-tta2"], data, images=4)
    assert sheet.columns == ("original", "view rotate-flip", "view equalise-rotate")
    assert [name.split("/")[0] for name in sheet.images] == ["normal", "viral", "normal", "viral"]
    assert sheet.picture.width == 2 * MARGIN + 3 * (CELL + GAP) - GAP
    assert "as they are" in sheet.sentence


def test_the_first_picture_is_the_original(make_data):
    data = make_data(per_class=8)
    recipe = RECIPES["d-vanilla-cnn"]
    sheet = make_sheet(recipe, data, images=1, versions=2)
    assert sheet.columns == ("original", "augmented, 1", "augmented, 2")
    pixels = np.asarray(sheet.picture.convert("L")).astype(float)
    rows = np.flatnonzero((pixels < 250).mean(axis=1) > 0.8)
    shown = pixels[rows[0] : rows[0] + CELL, MARGIN : MARGIN + CELL]
    canvas = to_canvas(read_image(data / sheet.images[0]), preprocessing_of(recipe)).astype(float)
    assert shown.mean() == pytest.approx(canvas.mean(), abs=3)
    assert describe_augmentation(augmentation_of(recipe)) == sheet.sentence
    assert "36°" in sheet.sentence and "left-right flip of 50 %" in sheet.sentence


def test_the_same_seed_draws_the_same_sheet_and_broken_files_are_skipped(make_data):
    data = make_data(per_class=6)
    recipe = RECIPES["scratch-cnn"]
    first, second, other = (make_sheet(recipe, data, images=3, versions=2, seed=seed) for seed in (0, 0, 1))
    assert first.picture.tobytes() == second.picture.tobytes() != other.picture.tobytes()
    (data / first.images[0]).write_bytes(b"\xff\xd8\xff")
    third = make_sheet(recipe, data, images=3, versions=2)
    assert third.skipped == 1 and first.images[0] not in third.images


def test_impossible_sheets(make_data, tmp_path):
    data = make_data(per_class=3)
    with pytest.raises(UsageError, match="--images"):
        make_sheet(RECIPES["scratch-cnn"], data, images=0)
    with pytest.raises(UsageError, match="--seed: expected a whole number from 0, found -1"):
        make_sheet(RECIPES["scratch-cnn"], data, seed=-1)
    for file in data.rglob("*.png"):
        file.write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match="readable"):
        make_sheet(RECIPES["scratch-cnn"], data)
