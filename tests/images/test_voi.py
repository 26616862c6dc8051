import numpy as np
import pytest

from hilum.images.tones import percentile_range, scaled
from hilum.images.voi import windowed


def test_example_of_the_standard():
    """PS3.3 C.11.2.1.2.1: c = 2048, w = 4096 is the identity on 12 bits, c = 2048, w = 1 a threshold at 2048."""
    values = np.arange(4096)
    np.testing.assert_array_equal(windowed(values, 2048, 4096), np.rint(values / 4095 * 65535))
    assert windowed(values, 2048, 1) is None


@pytest.mark.parametrize("width", [0, -1, 1])
def test_widths_that_are_forbidden_or_leave_nothing(width):
    assert windowed(np.arange(10), 5, width) is None


def test_sigmoid_does_not_overflow():
    shown = windowed(np.array([-1e12, 0.0, 1e12]), 0, 1, "SIGMOID")
    np.testing.assert_array_equal(shown, [0, 32768, 65535])


def test_percentiles_with_counts_are_those_of_the_repeated_values():
    rng = np.random.default_rng(3)
    values, counts = rng.permutation(500).astype(float), rng.integers(0, 40, 500)
    expected = np.percentile(np.repeat(values, counts), [0.5, 99.5], method="inverted_cdf")
    assert percentile_range(values, counts) == tuple(expected)


def test_percentiles_that_coincide_give_way_to_the_extremes():
    assert percentile_range(np.array([1.0, 2.0, 3.0]), np.array([1, 100_000, 1])) == (1.0, 3.0)


def test_scaling_clips_and_makes_black_of_what_is_no_number():
    np.testing.assert_array_equal(scaled([-5, 0, 5, 10, 20, np.nan], 0, 10), [0, 0, 32768, 65535, 65535, 0])
