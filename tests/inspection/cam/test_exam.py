"""The exam: it passes a map that marks what a known network answers from, and fails one that does not."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, spearmanr
from torch import nn

from hilum.inspection.cam.exam import place
from hilum.inspection.cam.exam.afford import affordable
from hilum.inspection.cam.exam.delete import FRACTIONS, content_box, delete, fill_in, moved_elsewhere
from hilum.inspection.cam.exam.exam import choose_method, examine
from hilum.inspection.cam.exam.figures import ExamImages
from hilum.inspection.cam.exam.holes import Holes, deletion_curves
from hilum.inspection.cam.exam.mean import estimate_mean, estimate_share
from hilum.inspection.cam.exam.randomise import cascade, randomised, rank_correlations
from hilum.inspection.cam.exam.verdict import TESTS, verdicts_of
from hilum.models import create_model
from hilum.transforms import Preprocessing

SIDE = 64
PREPROCESSING = Preprocessing(image_size=SIDE, normalisation="half", channels=1)


def spotted(count=24, seed=0):
    """Grey noise with a bright square somewhere; canvases, masks of the squares."""
    rng = np.random.default_rng(seed)
    canvases = rng.integers(60, 110, (count, SIDE, SIDE)).astype(np.uint8)
    masks = np.zeros((count, SIDE, SIDE), bool)
    for canvas, mask in zip(canvases, masks, strict=True):
        top, left = rng.integers(8, SIDE - 24, 2)
        mask[top : top + 16, left : left + 16] = True
        canvas[mask] = 230
    return canvases, masks


@pytest.fixture(scope="module")
def bright():
    """A network that was trained to tell pictures with a bright square from those without."""
    torch.manual_seed(0)
    model = create_model("cnn-tiny", num_classes=2, in_channels=1, image_size=SIDE, seed=0)
    canvases, _ = spotted(96)
    plain = np.random.default_rng(9).integers(60, 110, canvases.shape).astype(np.uint8)
    pictures = torch.from_numpy(np.concatenate([plain, canvases])).float()[:, None] / 127.5 - 1
    target = torch.arange(2).repeat_interleave(96)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for step in range(40):
        rows = torch.randperm(192, generator=torch.Generator().manual_seed(step))[:48]
        loss = nn.functional.cross_entropy(model(pictures[rows]), target[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


@pytest.fixture(scope="module")
def held(bright):
    canvases, _ = spotted(24, seed=5)
    images = ExamImages(canvases, list(range(24)), np.ones(24, int))
    return examine(bright, images, PREPROCESSING, methods=("layercam", "gradcam"), healthy=0)


def test_a_map_of_a_network_that_looks_at_the_square_marks_what_counts(held):
    deletion = held["methods"]["layercam"]["deletion"]
    assert deletion["gain"]["ci_low"] > 0
    assert deletion["map"][1]["value"] < deletion["elsewhere"][1]["value"] < deletion["start"]["value"] + 0.01
    assert len(deletion["map"]) == len(FRACTIONS)


def test_a_map_that_knows_nothing_of_the_network_fails(held):
    control = {each["test"]: each["state"] for each in held["control"]["verdicts"]}
    assert control["randomised"] == "fail"
    assert held["control"]["randomised"]["all"]["value"] == 1


def test_every_method_has_a_verdict_in_every_test(held):
    for each in held["methods"].values():
        assert [verdict["test"] for verdict in each["verdicts"]] == list(TESTS)
    assert (held["images"], held["of"], held["patients"]) == (24, 24, 24)
    assert choose_method(held["methods"]) in held["methods"]


def test_little_time_means_fewer_images_and_then_fewer_methods(bright):
    canvases, _ = spotted(40)
    images = ExamImages(canvases, list(range(40)), np.ones(40, int))
    held = examine(bright, images, PREPROCESSING, methods=("gradcam", "layercam"), seconds=0.01)
    assert held["images"] == 24 and held["of"] == 40 and list(held["methods"]) == ["gradcam"]


def test_enough_images_come_before_a_second_method(bright):
    canvases, _ = spotted(48)
    images = ExamImages(canvases, list(range(48)), np.ones(48, int))
    some, methods = affordable(bright, images, PREPROCESSING, ("gradcam", "layercam"), None, 600)
    assert (len(some.canvases), methods) == (48, ("gradcam", "layercam"))
    some, methods = affordable(bright, images, PREPROCESSING, ("gradcam", "layercam"), None, 0.2)
    assert methods == ("gradcam",) and 24 <= len(some.canvases) <= 48


def test_holes_are_the_same_whichever_slice_asks_for_them_and_as_large_as_was_said():
    canvases, masks = spotted(3)
    heats = [masks.astype(np.float32), masks[::-1].astype(np.float32)]
    holes = Holes(canvases, heats, seed=4)
    assert holes.shape == (2, 3, 2, len(FRACTIONS)) and len(holes) == 36
    whole = holes[:]
    np.testing.assert_array_equal(np.concatenate([holes[:7], holes[7:36]]), whole)
    changed = (whole.reshape(*holes.shape, SIDE, SIDE) != canvases[:, None, None]).mean(axis=(-1, -2))
    np.testing.assert_allclose(changed, np.broadcast_to(FRACTIONS, holes.shape), atol=0.07)  # whole patches
    assert not np.array_equal(whole[0], whole[3])  # on the map, and elsewhere
    first = whole.reshape(*holes.shape, SIDE, SIDE)[0, :, 0, 0]
    assert (first[masks] < 200).mean() > 0.95  # a tenth of the picture is more than the square, which is gone


def test_a_map_that_is_empty_has_no_curve(bright):
    canvases, masks = spotted(4)
    heat = masks.astype(np.float32)
    heat[2] = 0
    curves = deletion_curves(bright, canvases, {"x": heat}, np.ones(4, int), PREPROCESSING, 0)["x"]
    assert np.isnan(curves["map"][2]).all() and np.isfinite(curves["map"][[0, 1, 3]]).all()
    assert curves["map"].shape == (4, len(FRACTIONS)) and (curves["map"] < curves["elsewhere"])[[0, 1, 3], 0].all()


def test_the_cascade_begins_at_the_head_and_ends_with_everything(bright):
    steps = cascade(bright, 4)
    assert steps[0] == ("head",) and set(steps[-1]) == set(bright.stages)
    assert all(set(before) < set(after) for before, after in pairwise(steps))


def test_randomising_shuffles_the_numbers_of_the_named_stages_and_of_no_other(bright):
    canvases, _ = spotted(8)
    before = {name: each.clone() for name, each in bright.state_dict().items()}
    changed = randomised(bright, ("head",), canvases, PREPROCESSING, seed=1)
    weight = changed.head[-1].weight
    assert not torch.equal(weight, bright.head[-1].weight)
    torch.testing.assert_close(weight.flatten().sort()[0], bright.head[-1].weight.flatten().sort()[0])
    assert torch.equal(changed.backbone.blocks[0].conv1.weight, bright.backbone.blocks[0].conv1.weight)
    assert all(torch.equal(each, before[name]) for name, each in bright.state_dict().items())
    whole = randomised(bright, tuple(bright.stages), canvases, PREPROCESSING, seed=1)
    assert torch.isfinite(whole(torch.from_numpy(canvases).float()[:, None] / 127.5 - 1)).all()


def test_rank_correlation_is_that_of_scipy_and_zero_for_an_empty_map():
    rng = np.random.default_rng(0)
    one, other = rng.random((3, 5, 5)), rng.random((3, 5, 5)).round(1)
    other[2] = 0
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one[:2], other[:2], strict=True)]
    np.testing.assert_allclose(rank_correlations(one, other), [*expected, 0])


def test_a_hole_is_filled_from_its_surroundings_and_nothing_else_is_touched():
    ramp = np.broadcast_to(np.linspace(40, 200, SIDE), (SIDE, SIDE)).astype(np.uint8)
    missing = np.zeros((SIDE, SIDE), bool)
    missing[20:44, 20:44] = True
    filled = fill_in(np.where(missing, 255, ramp).astype(np.uint8), missing, np.random.default_rng(0))
    np.testing.assert_array_equal(filled[~missing], ramp[~missing])
    assert np.abs(filled[missing].astype(int) - ramp[missing]).mean() < 15


def test_as_much_is_deleted_as_was_said_and_the_hottest_of_it():
    canvas = np.full((SIDE, SIDE), 100, np.uint8)
    canvas[16:32, 16:32] = 200
    heat = (canvas == 200).astype(np.float32)
    gone = delete(canvas, heat, 256 / SIDE**2, np.random.default_rng(0))
    assert (gone[16:32, 16:32] < 120).all()
    assert (gone != canvas)[canvas == 100].mean() < 0.05


def test_the_same_shape_elsewhere_has_the_same_values_and_leaves_padding_alone():
    canvas = np.full((SIDE, SIDE), 90, np.uint8)
    canvas[:10], canvas[-10:] = 0, 0
    heat = np.zeros((SIDE, SIDE), np.float32)
    heat[20:30, 5:15] = np.random.default_rng(0).random((10, 10))
    moved = moved_elsewhere(heat, canvas, np.random.default_rng(1))
    assert content_box(canvas) == (10, 54, 0, 64)
    np.testing.assert_allclose(np.sort(moved.ravel()), np.sort(heat.ravel()))
    assert not moved[:10].any() and not moved[-10:].any() and not np.allclose(moved, heat)


def test_places_by_hand():
    heat, masks = np.zeros((3, 10, 10), np.float32), np.zeros((3, 10, 10), bool)
    canvases = np.full((3, 10, 10), 99, np.uint8)
    heat[0, 2, 2], heat[0, 7, 7] = 3, 1
    masks[0, :5, :5] = True
    heat[1, 9, 9] = 1
    masks[1, 0, 0] = True
    masks[2, 0, 0] = True  # an empty map
    np.testing.assert_allclose(place.shares(heat, masks), [0.75, 0, np.nan])
    np.testing.assert_allclose(place.areas(masks, canvases), [0.25, 0.01, 0.01])
    np.testing.assert_allclose(place.peaks_inside(heat, masks), [1, 0, np.nan])
    np.testing.assert_allclose(place.border_masks(canvases)[0].mean(), 0.36)
    perfect = masks.astype(np.float32)
    np.testing.assert_allclose(place.overlaps(perfect[:2], masks[:2]), [1, 1])
    assert place.overlaps(heat[1:2], masks[1:2])[0] == 0


def test_an_interval_of_a_mean_covers_as_often_as_it_says():
    rng, hits = np.random.default_rng(0), 0
    for trial in range(200):
        patients = np.repeat(np.arange(20), 2)
        values = rng.normal(0, 1, 20)[patients] + rng.normal(0, 0.5, 40)
        found = estimate_mean(values, patients, seed=trial)
        hits += found.ci_low <= 0 <= found.ci_high
    assert 0.91 <= hits / 200 <= 0.99
    assert np.isnan(estimate_mean(np.array([np.nan, np.nan]), [1, 2]).value)
    assert np.isnan(estimate_mean(np.array([1.0, 2.0]), [1, 1]).ci_low)


@pytest.mark.parametrize(
    ("low", "high", "state"), [(0.0, 0.2, "pass"), (0.3, 0.6, "open"), (0.7, 0.9, "fail"), (None, None, "open")]
)
def test_a_verdict_needs_the_whole_interval(low, high, state):
    nan = float("nan")
    interval = {"value": 0.5, "ci_low": nan if low is None else low, "ci_high": nan if high is None else high}
    good = {"value": 2.0, "ci_low": 1.5, "ci_high": 2.5}
    figures = {
        "randomised": {"all": interval},
        "deletion": {"gain": good},
        "in_lungs": {"density": good},
        "at_border": {"density": good},
    }
    states = {each["test"]: each["state"] for each in verdicts_of(figures)}
    assert states == {"randomised": state, "deletion": "pass", "in_lungs": "pass", "at_border": "fail"}


def test_a_share_that_is_the_same_everywhere_is_not_certain():
    patients = list(range(12))
    found = estimate_share(np.ones(12), patients)
    low = binomtest(12, 12).proportion_ci(method="exact").low
    assert (found.value, found.ci_high) == (1, 1) and found.ci_low == pytest.approx(low)
    low, high = binomtest(3, 12).proportion_ci(method="wilson")
    found = estimate_share(np.array([1.0] * 3 + [0.0] * 9 + [np.nan]), [*patients, 12])
    assert (found.ci_low, found.ci_high) == (pytest.approx(low), pytest.approx(high)) and found.n == 12
    found = estimate_share(np.array([0.0, 0.01, 0.02, 0.2]), patients[:4])
    assert 0 < found.ci_low < found.value < found.ci_high < 1
