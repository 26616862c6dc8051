"""Nearest neighbours and their votes against scikit-learn and a loop over all pairs."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from hilum.errors import DataError, UsageError
from hilum.inspection.neighbors import NeighborSettings, choose_settings, decide, find_neighbors, vote


@pytest.fixture(scope="module")
def blobs():
    """Three classes that overlap: index, its targets, queries, their targets."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(3, 24))
    targets, truth = generator.integers(3, size=900), generator.integers(3, size=200)
    index = centres[targets] + 1.5 * generator.normal(size=(900, 24))
    queries = centres[truth] + 1.5 * generator.normal(size=(200, 24))
    return index.astype(np.float32), targets, queries.astype(np.float32), truth


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("chunk", [17, 5000])
def test_neighbours_are_those_of_scikit_learn(blobs, metric, chunk):
    index, _, queries, _ = blobs
    found = find_neighbors(index, queries, 11, metric=metric, chunk=chunk)
    oracle = NearestNeighbors(n_neighbors=11, metric=metric, algorithm="brute").fit(index.astype(np.float64))
    distances, positions = oracle.kneighbors(queries.astype(np.float64))
    np.testing.assert_array_equal(found.positions, positions)
    np.testing.assert_allclose(found.distances, distances, atol=1e-6)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("classes", [2, 3])
def test_votes_are_those_of_scikit_learn(blobs, metric, weights, classes):
    index, targets, queries, _ = blobs
    targets = np.minimum(targets, classes - 1)
    index = np.concatenate([index, queries[:3]])  # distance zero
    targets = np.concatenate([targets, [0, 1, 1]])
    settings = NeighborSettings(7, metric, weights)
    found = find_neighbors(index, queries, 7, metric=metric)
    oracle = KNeighborsClassifier(7, metric=metric, weights=weights, algorithm="brute")
    expected = oracle.fit(index.astype(np.float64), targets).predict_proba(queries.astype(np.float64))
    skipped = slice(3, None) if metric == "cosine" else slice(None)  # there a distance of zero is rounded either way
    np.testing.assert_allclose(vote(found, targets, settings, classes)[skipped], expected[skipped], atol=1e-5)


@pytest.mark.parametrize("count", [20, 100])  # two libraries multiply, for few queries and for many
def test_rounding_hides_no_nearer_one(count):
    """Far from the origin float32 squares are off by more than the distances: only float64 finds the nearest."""
    generator = np.random.default_rng(1)
    index = (3000 + generator.normal(size=(400, 16)) * 0.01).astype(np.float32)
    queries = index[:count] + np.float32(0.003)
    found = find_neighbors(index, queries, 5)
    for query, positions in zip(queries.astype(np.float64), found.positions, strict=True):
        squared = ((index.astype(np.float64) - query) ** 2).sum(1)
        assert positions.tolist() == np.argsort(squared, kind="stable")[:5].tolist()


def test_equal_distances_come_in_the_order_of_the_index():
    index = np.repeat(np.float32([[0, 1], [1, 0]]), 60, axis=0)
    found = find_neighbors(index, np.float32([[0, 0], [0, 0.9]]), 4, chunk=7)
    assert found.positions.tolist() == [[0, 1, 2, 3], [0, 1, 2, 3]]


def test_a_tie_goes_to_the_class_with_the_nearer_neighbours():
    index, targets = np.float32([[1], [2], [-1.5], [-1.8]]), np.array([1, 0, 0, 1])
    found = find_neighbors(index, np.float32([[0]]), 4)
    two, four = NeighborSettings(2), NeighborSettings(4)
    assert vote(found, targets, two, 2).tolist() == [[0.5, 0.5]]
    assert decide(found, targets, two, 2).argmax() == 1
    assert decide(found, targets, four, 2).argmax() == 1  # ranks 1 and 3 against 2 and 4
    lone = np.array([1, 0, 0, 0])  # the nearest is outvoted
    assert decide(found, lone, NeighborSettings(3), 2).argmax() == 0


def test_a_tie_break_outweighs_no_vote():
    targets = np.array([0] * 500 + [1] * 501)
    index = np.arange(1001, dtype=np.float32)[:, None]
    found = find_neighbors(index, np.float32([[-1]]), 1001)
    assert decide(found, targets, NeighborSettings(1001), 2).argmax() == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_memory_map_gives_the_same(blobs, tmp_path, dtype):
    index, _, queries, _ = blobs
    kept = np.lib.format.open_memmap(tmp_path / "index.npy", mode="w+", dtype=dtype, shape=index.shape)
    kept[:] = index
    kept.flush()
    mapped = np.load(tmp_path / "index.npy", mmap_mode="r")
    found = find_neighbors(mapped, queries, 5, chunk=100)
    expected = find_neighbors(index.astype(dtype).astype(np.float32), queries, 5)
    np.testing.assert_array_equal(found.positions, expected.positions)


def test_validation_chooses_among_all_settings(blobs):
    index, targets, queries, truth = blobs
    chosen = choose_settings(index, targets, queries, truth, 3)
    assert len(chosen.table) == 9 * 4 and chosen.images == 200
    assert [row["right"] for row in chosen.table] == sorted((row["right"] for row in chosen.table), reverse=True)
    for row in chosen.table:
        oracle = KNeighborsClassifier(row["k"], metric=row["metric"], weights=row["weights"], algorithm="brute")
        said = oracle.fit(index, targets).predict(queries)
        if row["weights"] == "distance":  # no ties there
            assert row["right"] == (said == truth).sum()
            assert row["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, said))
    best = chosen.table[0]
    assert (chosen.settings.k, chosen.settings.metric, chosen.settings.weights) == (
        best["k"], best["metric"], best["weights"],
    )  # fmt: skip


def test_of_equal_settings_the_smallest_k_is_chosen():
    index = np.float32(np.r_[np.linspace(-1.1, -1, 20), np.linspace(1, 1.1, 20)])[:, None]
    targets = np.repeat([0, 1], 20)
    chosen = choose_settings(index, targets, index + 0.001, targets, 2)
    assert chosen.settings == NeighborSettings(1, "euclidean", "uniform")
    assert choose_settings(index, targets, index, targets, 2, k=5, metrics=("cosine",)).settings.k == 5


@pytest.mark.parametrize("width", [64 * 70, 64 * 70 + 13, 500])
def test_blocks_lose_no_neighbour(width):
    generator = np.random.default_rng(2)
    index = np.concatenate([generator.normal(size=(width, 3)), generator.normal(size=(40, 3)) * 0.01]).astype(
        np.float32
    )
    queries = generator.normal(size=(30, 3)).astype(np.float32) * 0.1
    found = find_neighbors(index, queries, 20)
    for query, positions in zip(queries.astype(np.float64), found.positions, strict=True):
        squared = ((index.astype(np.float64) - query) ** 2).sum(1)
        assert positions.tolist() == np.argsort(squared, kind="stable")[:20].tolist()


def test_more_neighbours_than_there_are():
    found = find_neighbors(np.eye(3, dtype=np.float32), np.zeros((2, 3), np.float32), 9)
    assert found.positions.shape == (2, 3)
    assert find_neighbors(np.eye(3, dtype=np.float32), np.zeros((0, 3)), 2).positions.shape == (0, 2)


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="queries of width 3"):
        find_neighbors(np.eye(3, dtype=np.float32), np.zeros((1, 4)), 1)
    for wrong in ({"k": 0}, {"k": 1, "metric": "hamming"}, {"k": 1, "weights": "none"}):
        with pytest.raises(UsageError):
            NeighborSettings(**wrong)
