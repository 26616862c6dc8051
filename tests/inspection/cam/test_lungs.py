"""The lung segmenter on drawn X-rays that it never saw, and the truth of drawn data on a canvas."""

import numpy as np

from hilum.data.phantom import Faults, draw_dataset
from hilum.inspection.cam.exam.truth import truth_of
from hilum.inspection.cam.lungs import find_lungs
from hilum.transforms import Preprocessing, to_canvas

DRAWN = draw_dataset(
    images=12, classes=("normal", "bacterial", "viral", "covid"), size=128, faults=Faults(marker=1.0), seed=4321
)
PREPROCESSING = Preprocessing(image_size=112, normalisation="half", channels=1)
TRUTH = truth_of(DRAWN, range(12), PREPROCESSING)


def test_lungs_are_found_in_drawn_pictures():
    canvases = np.stack([to_canvas(each.pixels, PREPROCESSING) for each in DRAWN])
    found = find_lungs(canvases)
    dice = 2 * (found & TRUTH.lungs).sum((1, 2)) / (found.sum((1, 2)) + TRUTH.lungs.sum((1, 2)))
    assert dice.mean() > 0.95 and dice.min() > 0.9


def test_nothing_is_found_where_there_is_no_chest():
    rng = np.random.default_rng(0)
    nothing = np.stack([np.zeros((96, 96)), np.full((96, 96), 180)]).astype(np.uint8)
    assert not find_lungs(nothing).any()
    assert find_lungs(rng.integers(0, 255, (2, 96, 96), dtype=np.uint8)).shape == (2, 96, 96)
    assert find_lungs(np.empty((0, 96, 96), np.uint8)).shape == (0, 96, 96)


def test_lesions_lie_in_lungs_and_healthy_pictures_have_none():
    labels = DRAWN.table["label"].to_numpy()
    inside = (TRUTH.lesions & TRUTH.lungs).sum((1, 2)) / np.maximum(TRUTH.lesions.sum((1, 2)), 1)
    assert (inside[labels != "normal"] > 0.9).all()
    assert not TRUTH.lesions[labels == "normal"].any()


def test_the_mask_of_a_planted_marker_holds_what_planting_changed():
    plain = draw_dataset(images=12, classes=("normal", "bacterial", "viral", "covid"), size=128, seed=4321)
    shares = []
    for row in range(12):
        one, other = (to_canvas(each[row].pixels, PREPROCESSING).astype(int) for each in (DRAWN, plain))
        changed = np.abs(one - other) > 20
        shares.append((changed & TRUTH.markers[row]).sum() / changed.sum())
    # Where a machine had put a marker of its own, that went away elsewhere: half of what changed, or more.
    assert min(shares) > 0.2 and max(shares) == 1
