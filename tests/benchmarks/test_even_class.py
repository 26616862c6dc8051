"""Offsets that part each pair of classes evenly: two classes give the point `even`, a known tilt is found again."""

import sys
from pathlib import Path

import numpy as np
import pytest

from hilum.evaluation.thresholds import even_threshold

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from even_class import even_offsets


def softmax(logits):
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def drawn(classes, tilt, images=3000):
    """Logits that lie evenly about each class, then moved by a tilt."""
    generator = np.random.default_rng(0)
    target = np.arange(images) % classes
    return softmax(2.0 * np.eye(classes)[target] + generator.normal(0, 1, (images, classes)) + tilt), target


def test_two_classes_are_parted_at_the_point_even():
    probs, target = drawn(2, np.array([0.0, 1.3]))
    low, high = even_offsets(probs, target)
    cut = even_threshold(probs[:, 1], target == 1)
    assert low - high == pytest.approx(np.log(cut / (1 - cut)), abs=1e-9)


@pytest.mark.parametrize("tilt", [[0.0, 0.0, 0.0], [1.5, -0.5, 0.2], [-3.0, 1.0, 0.0, 0.5]])
def test_a_known_tilt_is_taken_back(tilt):
    tilt = np.array(tilt) - np.mean(tilt)
    found = even_offsets(*drawn(len(tilt), tilt))
    assert found.sum() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(found, -tilt, atol=0.15)


def test_a_class_that_hides_behind_another_is_found_as_often_as_the_rest():
    probs, target = drawn(3, np.array([0.0, 0.0, -2.0]))
    called = (np.log(probs) + even_offsets(probs, target)).argmax(1)
    recall = [np.mean(called[target == each] == each) for each in range(3)]
    plain = np.mean(probs.argmax(1)[target == 2] == 2)
    assert max(recall) - min(recall) < 0.06 < min(recall) - plain
