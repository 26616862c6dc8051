"""Kernel density: against a plain loop, against scikit-learn where it sums everything, and where it does not."""

import math

import numpy as np
import pytest
from sklearn.neighbors import KernelDensity as Library

from hilum.inspection.anomaly import KernelDensity, log_density
from hilum.inspection.anomaly.density import BANDWIDTHS, likeliest_bandwidth, scott_bandwidth
from hilum.inspection.anomaly.distances import squared_distances
from hilum.inspection.anomaly.scaling import find_components, find_spread


def by_the_loop(points, centres, bandwidth):
    found = []
    for point in points:
        exponents = [-((point - centre) ** 2).sum() / (2 * bandwidth**2) for centre in centres]
        highest = max(exponents)
        total = highest + math.log(sum(math.exp(each - highest) for each in exponents))
        found.append(total - math.log(len(centres)) - centres.shape[1] / 2 * math.log(2 * math.pi * bandwidth**2))
    return np.array(found)


@pytest.fixture
def cloud():
    def make(count, dims, seed=0):
        return np.random.default_rng(seed).standard_normal((count, dims))

    return make


@pytest.mark.parametrize(("dims", "bandwidth"), [(2, 0.3), (64, 0.9), (512, 1.0), (512, 0.2)])
def test_the_density_is_that_of_a_plain_loop(cloud, dims, bandwidth):
    centres, points = cloud(60, dims) + 100.0, cloud(7, dims, 1) * 2 + 100.0
    assert log_density(points, centres, bandwidth) == pytest.approx(by_the_loop(points, centres, bandwidth), rel=1e-9)


@pytest.mark.parametrize("dims", [8, 512])
def test_the_density_is_scikit_learns_where_that_sums_over_every_point(cloud, dims):
    centres, points = cloud(300, dims), cloud(20, dims, 1) * 1.5
    whole = Library(bandwidth=0.9, leaf_size=len(centres)).fit(centres).score_samples(points)
    assert log_density(points, centres, 0.9) == pytest.approx(whole, rel=1e-9)


def test_scikit_learns_default_is_wrong_in_512_dimensions(cloud):
    """What the page on anomalies says of the installed version; when this fails, the sentence there has to go."""
    centres, points = cloud(300, 512), cloud(20, 512, 1) * 1.5
    exact = by_the_loop(points, centres, 0.9)
    default = Library(bandwidth=0.9).fit(centres).score_samples(points)
    assert np.abs(default - exact).max() > 100
    assert np.abs(log_density(points, centres, 0.9) - exact).max() < 1e-6


def test_a_small_block_changes_nothing(cloud):
    centres, points = cloud(50, 6), cloud(33, 6, 1)
    whole = np.concatenate(list(squared_distances(points, centres)))
    parts = np.concatenate(list(squared_distances(points, centres, block=120)))
    assert len(list(squared_distances(points, centres, block=120))) > 10
    assert whole == pytest.approx(((points[:, None] - centres) ** 2).sum(2)) and np.allclose(whole, parts)


def test_scotts_rule():
    assert scott_bandwidth(1000, 64) == pytest.approx(1000 ** (-1 / 68))


def test_the_likeliest_bandwidth_is_that_of_leaving_one_out(cloud):
    points = cloud(40, 3)
    likely = [
        sum(by_the_loop(points[i : i + 1], np.delete(points, i, 0), width)[0] for i in range(len(points)))
        for width in BANDWIDTHS
    ]
    assert likeliest_bandwidth(points) == BANDWIDTHS[int(np.argmax(likely))]


def test_what_lies_far_off_is_strange_however_the_numbers_are_scaled(cloud):
    normal = cloud(200, 10) * np.geomspace(0.01, 100, 10) + 5
    normal[:, 3] = 7.0  # a number that never changes
    odd = normal[:5].copy()
    odd[:, 0] += 0.1
    for fitted in (KernelDensity.fit(normal), KernelDensity.fit(normal, bandwidth=None, components=4)):
        assert fitted.score(odd).shape == (5,)
    assert KernelDensity.fit(normal).score(odd).min() > np.median(KernelDensity.fit(normal).score(normal))


@pytest.mark.parametrize("shape", [(30, 80), (200, 12)])
def test_principal_components_are_those_of_a_singular_value_decomposition(cloud, shape):
    normal = cloud(*shape) @ np.diag(np.geomspace(1, 20, shape[1]))
    found = find_components(normal, 5)(normal)
    _, values, axes = np.linalg.svd(normal - normal.mean(0), full_matrices=False)
    expected = (normal - normal.mean(0)) @ axes[:5].T / (values[:5] / np.sqrt(len(normal) - 1))
    assert np.abs(found) == pytest.approx(np.abs(expected), rel=1e-3, abs=1e-3)
    assert found.std(axis=0, ddof=1) == pytest.approx(1, rel=1e-3)


def test_a_number_without_spread_counts_for_nothing():
    normal = np.column_stack([np.arange(10.0), np.full(10, 3.0)])
    assert find_spread(normal)(np.array([[0.0, 99.0]]))[0, 1] == 0
