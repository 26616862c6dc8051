"""k-NN votes against a loop over all pairs."""

import numpy as np
import pytest

from hilum.recipes.schema import Neighbors
from hilum.replay.predict import choose_k, vote

LABELS = ("a", "b", "c")


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_votes_are_those_of_the_nearest(weights, metric):
    generator = np.random.default_rng(0)
    points, queries = generator.normal(size=(40, 6)), generator.normal(size=(15, 6))
    names = generator.choice(["a", "c"], 40)  # a class that votes for nobody
    found = vote(points, names, queries, 5, Neighbors(metric=metric, weights=weights), LABELS)
    for query, probs in zip(queries, found, strict=True):
        distances = [
            np.linalg.norm(point - query)
            if metric == "euclidean"
            else 1 - point @ query / np.linalg.norm(point) / np.linalg.norm(query)
            for point in points
        ]
        shares = dict.fromkeys(LABELS, 0.0)
        for nearest in np.argsort(distances)[:5]:
            shares[names[nearest]] += 1 if weights == "uniform" else 1 / distances[nearest]
        assert probs == pytest.approx([shares[name] / sum(shares.values()) for name in LABELS])


def test_the_smallest_of_the_best_numbers_of_neighbours_is_chosen():
    points = np.concatenate([np.full((10, 1), -1.0), np.full((10, 1), 1.0)]) + np.linspace(0, 0.1, 20)[:, None]
    names = np.repeat(["a", "b"], 10)
    assert choose_k(points, names, points + 0.001, names, Neighbors()) == 1
    noisy = names.copy()
    noisy[[0, 10]] = "b", "a"  # a wrong label misleads a single neighbour
    queries = points[[0, 10]]
    assert choose_k(points, noisy, queries, np.array(["a", "b"]), Neighbors()) == 3
