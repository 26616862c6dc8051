"""A paired gain: against scipy's bootstrap, and with patients that stand and fall together."""

import numpy as np
import pytest
from scipy import stats

from hilum.evaluation.gain import paired_gain


@pytest.fixture
def outcomes():
    generator = np.random.default_rng(0)
    first = (generator.random(400) < 0.8).astype(float)
    second = np.where(generator.random(400) < 0.1, 1.0, first)
    return first, second


def test_the_interval_is_that_of_a_bootstrap_of_the_differences(outcomes):
    first, second = outcomes
    found = paired_gain(first, second, range(400), replicates=4000)
    other = stats.bootstrap((second - first,), np.mean, n_resamples=4000, method="percentile", rng=1)
    assert found.value == pytest.approx((second - first).mean())
    assert found.ci_low == pytest.approx(other.confidence_interval.low, abs=0.003)
    assert found.ci_high == pytest.approx(other.confidence_interval.high, abs=0.003)


def test_patients_with_many_images_widen_it():
    first, second = np.zeros(400), np.repeat(np.random.default_rng(0).random(40) < 0.3, 10)
    alone = paired_gain(first, second, range(400))
    together = paired_gain(first, second, np.repeat(np.arange(40), 10))
    assert together.ci_high - together.ci_low > 2 * (alone.ci_high - alone.ci_low)


def test_what_both_get_wrong_does_not_count(outcomes):
    first, _ = outcomes
    found = paired_gain(first, first, range(400))
    assert (found.value, found.ci_low, found.ci_high) == (0, 0, 0)
