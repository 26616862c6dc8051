"""Maps of embeddings and the figure beside them, against scikit-learn and a loop."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from hilum.errors import DataError, UsageError
from hilum.inspection.projection import neighborhood_purity, principal_components, project


@pytest.fixture(scope="module")
def blobs():
    generator = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], 40)
    centres = {"a": 0.0, "b": 4.0, "c": 8.0}
    matrix = generator.normal(size=(120, 12)) + np.array([centres[name] for name in labels])[:, None] * np.eye(12)[0]
    patients = np.array([f"p{n // 2}" for n in range(120)])
    return matrix.astype(np.float32), labels, patients


def test_components_are_those_of_scikit_learn(blobs):
    matrix, _, _ = blobs
    found, kept = principal_components(matrix, 5)
    oracle = PCA(5).fit(matrix.astype(np.float64))
    expected = oracle.transform(matrix.astype(np.float64))
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)
    assert kept == pytest.approx(oracle.explained_variance_ratio_.sum())


@pytest.mark.parametrize("method", ["tsne", "umap", "pca"])
def test_a_map_keeps_neighbours_and_is_the_same_again(blobs, method):
    if method == "umap":
        pytest.importorskip("umap", reason="needs the extra hilum[umap]", exc_type=ImportError)
    matrix, _, _ = blobs
    first, again = (project(matrix, method=method, seed=3, perplexity=10) for _ in range(2))
    np.testing.assert_array_equal(first.points, again.points)
    assert first.points.shape == (120, 2) and np.abs(first.points).max() == pytest.approx(1)
    assert trustworthiness(matrix, first.points, n_neighbors=10) > 0.75
    assert first.settings["seed"] == 3
    if method == "umap":
        assert first.settings["neighbors"] == 10 and "umap-learn" in first.settings["version"]
    if method == "tsne":
        assert first.settings["perplexity"] == 10 and "openTSNE" in first.settings["version"]
        assert project(matrix[:20], perplexity=30).settings["perplexity"] == pytest.approx(19 / 3)


def test_with_interpolated_forces_a_map_keeps_as_many_neighbours(blobs, monkeypatch):
    matrix, _, _ = blobs
    exact = project(matrix, seed=3, perplexity=10)
    monkeypatch.setattr("hilum.inspection.projection.MANY", len(matrix))
    found = project(matrix, seed=3, perplexity=10)
    kept = [trustworthiness(matrix, each.points, n_neighbors=10) for each in (exact, found)]
    assert not np.array_equal(found.points, exact.points)
    assert kept[1] > kept[0] - 0.03


def test_purity_is_that_of_a_loop_over_other_patients(blobs):
    matrix, labels, patients = blobs
    found = neighborhood_purity(matrix, labels, patients, matrix, labels, patients, k=5, replicates=50)
    classes = {name: [] for name in "abc"}
    for row in range(120):
        order = np.argsort(((matrix.astype(float) - matrix[row].astype(float)) ** 2).sum(1))
        near = [other for other in order if patients[other] != patients[row]][:5]
        classes[labels[row]].append(np.mean(labels[near] == labels[row]))
    assert found.estimate.value == pytest.approx(np.mean([np.mean(each) for each in classes.values()]))
    assert found.estimate.ci_low < found.estimate.value < found.estimate.ci_high
    assert found.by_chance.value == pytest.approx(1 / 3, abs=0.03)
    assert found.by_chance.ci_high < found.estimate.ci_low


def test_what_knows_nothing_of_the_label_is_as_pure_as_chance(blobs):
    _, labels, patients = blobs
    noise = np.random.default_rng(5).normal(size=(120, 12)).astype(np.float32)
    found = neighborhood_purity(noise, labels, patients, noise, labels, patients, replicates=200)
    assert found.estimate.ci_low < found.by_chance.value < found.estimate.ci_high


def test_a_patient_is_no_neighbour_of_himself():
    """Pairs of a patient lie together and share a label that nothing else explains."""
    generator = np.random.default_rng(0)
    places, names = generator.normal(size=(100, 3)), generator.choice(["a", "b"], 100)
    matrix, labels = np.repeat(places, 2, axis=0).astype(np.float32), np.repeat(names, 2)
    patients = np.repeat([f"p{n}" for n in range(100)], 2)
    found = neighborhood_purity(matrix, labels, patients, matrix, labels, patients, k=1, replicates=100)
    assert found.estimate.value < 0.7


def test_what_does_not_fit_is_refused(blobs):
    with pytest.raises(UsageError, match="one of tsne"):
        project(blobs[0], method="sne")
    with pytest.raises(UsageError, match="at least 5"):
        project(blobs[0][:4])


def test_a_perfect_purity_of_a_few_patients_is_not_certain():
    matrix = np.repeat(np.eye(2, dtype=np.float32), 8, axis=0)
    labels, patients = ["a"] * 8 + ["b"] * 8, [str(number) for number in range(16)]
    found = neighborhood_purity(matrix, labels, patients, matrix, labels, patients, k=3, replicates=50).estimate
    assert found.value == found.ci_high == 1 and found.ci_low == pytest.approx(0.025 ** (1 / 8))


def test_a_network_that_makes_the_same_of_every_image_has_no_map():
    for method in ("pca", "tsne"):
        with pytest.raises(DataError, match="same one for every image"):
            project(np.full((12, 4), 0.3, np.float32), method=method)
