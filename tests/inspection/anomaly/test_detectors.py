"""Each detector against a second implementation, and all through the same interface."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

from hilum.inspection.anomaly import DETECTORS, TITLES, Gaussian, NearestNormals, PatchMemory, fit_detectors, score_all
from hilum.inspection.anomaly.patches import find_coreset


@pytest.fixture
def normal():
    generator = np.random.default_rng(0)
    return (generator.standard_normal((120, 30)) @ generator.standard_normal((30, 30)) + 3).astype(np.float32)


@pytest.fixture
def strange(normal):
    return normal[:20] + np.random.default_rng(1).standard_normal((20, 30)).astype(np.float32) * 40


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_finds_what_lies_far_off(name, normal, strange):
    (fitted,) = fit_detectors(normal[:100], [name]).values()
    inside, outside = fitted.score(normal[100:]), fitted.score(strange)
    assert inside.shape == (20,) and inside.dtype == np.float64
    assert outside.min() > np.median(inside) and (outside[:, None] > inside).mean() > 0.95
    assert name in TITLES


def test_one_pass_gives_every_score(normal, strange):
    scores = score_all(fit_detectors(normal), strange)
    assert set(scores) == set(DETECTORS) and all(len(each) == len(strange) for each in scores.values())


def test_the_gaussian_is_scikit_learns_mahalanobis_distance(normal, strange):
    spread = normal.std(axis=0)
    library = LedoitWolf(assume_centered=True).fit((normal - normal.mean(0)) / spread)
    expected = np.sqrt(library.mahalanobis((strange - normal.mean(0)) / spread))
    fitted = Gaussian.fit(normal)
    assert fitted.shrinkage == pytest.approx(library.shrinkage_, rel=1e-4)
    assert fitted.score(strange) == pytest.approx(expected, rel=1e-3)


def test_a_gaussian_of_more_numbers_than_images_is_finite():
    normal = np.random.default_rng(0).standard_normal((20, 200)).astype(np.float32)
    assert np.isfinite(Gaussian.fit(normal).score(normal)).all()


@pytest.mark.parametrize("k", [1, 5, 500])
def test_nearest_normals_are_those_of_all_distances(normal, strange, k):
    spread, mean = normal.std(axis=0), normal.mean(0)
    expected = np.sort(cdist((strange - mean) / spread, (normal - mean) / spread), axis=1)[:, : min(k, 120)].mean(1)
    assert NearestNormals.fit(normal, k=k).score(strange) == pytest.approx(expected, rel=1e-3)


def test_patches_are_compared_with_every_remembered_one():
    patches = np.random.default_rng(0).standard_normal((6, 9, 5)).astype(np.float32)
    memory = PatchMemory.fit(patches, size=54)
    new = np.random.default_rng(1).standard_normal((3, 9, 5)).astype(np.float32)
    expected = cdist(new.reshape(-1, 5), patches.reshape(-1, 5)).min(axis=1).reshape(3, 9)
    assert memory.distances(new) == pytest.approx(expected, abs=1e-4)
    assert memory.score(new) == pytest.approx(expected.max(axis=1), abs=1e-4)
    assert memory.score(patches) == pytest.approx(0, abs=5e-3)


def test_one_odd_patch_is_enough():
    patches = np.random.default_rng(0).standard_normal((30, 16, 8)).astype(np.float32)
    memory = PatchMemory.fit(patches[:20], size=100)
    odd = patches[20:].copy()
    odd[:, 7] += 20
    assert memory.score(odd).min() > memory.score(patches[20:]).max()
    assert (memory.distances(odd).argmax(axis=1) == 7).all()


def test_the_coreset_is_the_greedy_one():
    points = np.random.default_rng(0).standard_normal((200, 6)).astype(np.float32)
    found = find_coreset(points, 20, np.random.default_rng(3)).tolist()
    expected = [found[0]]
    while len(expected) < 20:
        expected.append(int(cdist(points, points[expected]).min(axis=1).argmax()))
    assert found == expected and len(set(found)) == 20


def test_a_coreset_covers_better_than_chance():
    generator = np.random.default_rng(0)
    points = np.concatenate([generator.standard_normal((1900, 4)), generator.standard_normal((100, 4)) * 10])
    points = points.astype(np.float32)
    drawn = points[generator.choice(len(points), 50, replace=False)]
    chosen = points[find_coreset(points, 50, generator)]
    assert cdist(points, chosen).min(axis=1).max() < 0.7 * cdist(points, drawn).min(axis=1).max()
