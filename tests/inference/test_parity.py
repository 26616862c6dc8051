"""What counts as the same answer, and what is good enough to train a head on."""

import numpy as np
import pytest

from hilum.inference.engine import Outputs
from hilum.inference.parity import NOISE, difference

GENERATOR = np.random.default_rng(0)
LOGITS = GENERATOR.normal(size=(8, 2)).astype(np.float32)
EMBEDDING = (10 + GENERATOR.normal(size=(8, 500))).astype(np.float32)


def moved(by):
    return difference(Outputs(LOGITS, EMBEDDING + by), Outputs(LOGITS, EMBEDDING))


def test_noise_is_measured_against_what_tells_pictures_apart():
    shift = np.float32(0.2) * GENERATOR.choice([-1, 1], size=EMBEDDING.shape)
    found = moved(shift)
    assert found.noise == pytest.approx(0.2 / np.sqrt(7 / 8), rel=0.02)  # the mean of 8 takes an eighth of the variance
    assert found.embedding == pytest.approx(0.02, rel=0.05)
    assert found.probability == 0
    assert found.trains and found.holds("bf16")


def test_what_a_head_may_be_trained_on_need_not_hold_as_an_answer():
    found = moved(np.float32(0.35) * GENERATOR.choice([-1, 1], size=EMBEDDING.shape))
    assert found.trains and not found.holds("bf16")
    assert not moved(np.float32(NOISE + 0.1)).trains


def test_pictures_that_are_all_alike_tell_nothing_of_noise():
    same = np.repeat(EMBEDDING[:1], 8, axis=0)
    assert not difference(Outputs(LOGITS, same + np.float32(1e-3)), Outputs(LOGITS, same)).trains


def test_not_a_number_is_infinitely_far():
    broken = EMBEDDING.copy()
    broken[3, 4] = np.nan
    found = difference(Outputs(LOGITS, broken), Outputs(LOGITS, EMBEDDING))
    assert not found.trains and not found.holds("int8")
