"""Views: the same picture is always seen the same way; what training never showed is named."""

import json

import numpy as np
import pytest

from hilum.errors import RecipeError
from hilum.transforms import Augmentation, View, look, make_views
from hilum.transforms.tta import find_unseen

TURNED = View("turned", (Augmentation(rotation=10), Augmentation(flip=0.5)))
EQUALISED = View("equalised", (Augmentation(equalise=1.0),))


@pytest.fixture
def canvases():
    return np.random.default_rng(0).integers(0, 200, (6, 32, 32)).astype(np.uint8)


def test_plain_and_flip(canvases):
    plain, flip = make_views(("plain", "flip"))
    assert look(canvases, plain) is canvases
    np.testing.assert_array_equal(look(canvases, flip), canvases[:, :, ::-1])


def test_a_picture_is_seen_the_same_way_in_any_batch_and_in_any_place(canvases):
    whole = look(canvases, TURNED, seed=3)
    np.testing.assert_array_equal(look(canvases[::-1].copy(), TURNED, seed=3), whole[::-1])
    np.testing.assert_array_equal(look(canvases[4:5], TURNED, seed=3), whole[4:5])
    assert not np.array_equal(look(canvases, TURNED, seed=4), whole)
    assert not np.array_equal(look(canvases, View("other", TURNED.steps), seed=3), whole)


def test_steps_follow_each_other(canvases):
    import cv2

    both = look(canvases, View("both", (Augmentation(flip=1.0), Augmentation(equalise=1.0))))
    expected = np.stack([cv2.equalizeHist(np.ascontiguousarray(each[:, ::-1])) for each in canvases])
    np.testing.assert_array_equal(both, expected)


def test_json_holds_a_view():
    views = make_views(("plain", "flip", TURNED, EQUALISED))
    document = json.loads(json.dumps([view.to_json() for view in views]))
    assert document[:2] == ["plain", "flip"]
    assert document[3] == {"name": "equalised", "steps": [{"equalise": 1.0}]}
    assert make_views(document) == views


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ((), "none"),
        (("plain", "upside-down"), "upside-down"),
        (("plain", "plain"), "more than once"),
        (({"name": "x", "steps": [{"rotate": 3}]},), "rotate"),
        (({"name": "x"},), "steps"),
    ],
)
def test_impossible_policies(policy, words):
    with pytest.raises(RecipeError, match=words):
        make_views(policy)


def test_what_training_never_showed_is_named():
    assert find_unseen((TURNED,), Augmentation(rotation=10, flip=0.1)) == []
    (sentence,) = find_unseen((TURNED, EQUALISED), Augmentation(rotation=10, flip=0.5))
    assert "equalised" in sentence and "histogram equalisation" in sentence
    assert find_unseen((EQUALISED,), Augmentation(), equalised=True) == []
    (further,) = find_unseen((TURNED,), Augmentation(rotation=5, flip=0.5))
    assert "goes further in rotation (10) than training did (5)" in further
