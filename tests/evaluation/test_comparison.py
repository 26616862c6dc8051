"""Comparison of runs: figures against metrics of each run, groups, and clear words where images differ."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hilum.data.predictions import Predictions
from hilum.errors import DataError, UsageError
from hilum.evaluation import evaluate
from hilum.evaluation.comparison import Comparison, compare

BINARY = ("NORMAL", "PNEUMONIA")


def _noisier(predictions: Predictions, noise: float, seed: int) -> Predictions:
    """The same images by a model that sees less."""
    logits = predictions.logits + noise * np.random.default_rng(seed).normal(size=predictions.logits.shape)
    return Predictions.of(predictions.table.rename(columns={"target": "label"}), logits, predictions.labels)


@pytest.mark.parametrize("labels", [BINARY, ("NORMAL", "bacteria", "virus")])
def test_runs_that_differ_and_runs_that_do_not(draw, labels) -> None:
    best = draw(300, labels=labels, skill=2.5)
    runs = {"blind": _noisier(best, 12, 1), "twin": _noisier(best, 0.05, 2), "best": best}
    found = compare(runs, replicates=200)
    assert set(found.runs[:2]) == {"best", "twin"} and found.runs[2] == "blind"
    assert [found.groups[run] for run in found.runs] == [1, 1, 2]
    assert found.images == len(best) and found.patients == 300 and len(found.pairs) == 3
    for run, predictions in runs.items():
        overall = evaluate(predictions, replicates=2).overall
        assert found.figures[run] == {name: pytest.approx(overall[name].value) for name in found.figures[run]}
    pair = found.against_best("blind")
    assert pair is not None and pair.apart and pair.difference["auroc"].ci_low > 0.1 and pair.mcnemar.exact < 1e-4
    assert found.against_best(found.runs[0]) is None
    assert "cannot be told apart" in found.sentence and "300 patients" in found.sentence


def test_a_pair_shares_its_patients(draw) -> None:
    """The interval of a difference is narrower than two intervals of runs that make the same mistakes."""
    one = draw(200, labels=BINARY, skill=1.5)
    found = compare({"one": one, "twin": _noisier(one, 0.3, 3)}, replicates=300).pairs[0].difference["accuracy"]
    alone = evaluate(one, replicates=2).overall["accuracy"]
    assert found.ci_high - found.ci_low < 0.7 * (alone.ci_high - alone.ci_low)
    assert found.ci_low <= found.value <= found.ci_high


def test_equal_models_are_seldom_told_apart_though_the_best_was_picked(draw) -> None:
    wrong = 0
    for seed in range(120):
        truth = draw(60, labels=BINARY, skill=0, extra_images=0.3, seed=seed)
        generator = np.random.default_rng(1000 + seed)
        runs = {}
        for name in "abcde":
            logits = generator.normal(size=truth.logits.shape) + 0.9 * np.eye(2)[truth.target]
            runs[name] = Predictions.of(truth.table.rename(columns={"target": "label"}), logits, truth.labels)
        wrong += set(compare(runs, replicates=2).groups.values()) != {1}
    assert wrong <= 12  # 5 % of 120 is 6; 12 would be a 1 in 50 accident


def test_other_images_labels_or_classes_are_refused(draw) -> None:
    one = draw(30)
    with pytest.raises(DataError, match=r"images of b: expected the same .* as a, found 1 of them missing"):
        compare({"a": one, "b": _with(one, "image_path", "other.png")})
    with pytest.raises(DataError, match="labels of b"):
        compare({"a": one, "b": _with(one, "target", next(n for n in one.labels if n != one.table["target"][0]))})
    with pytest.raises(DataError, match="patients of b"):
        compare({"a": one, "b": _with(one, "patient_id", "nobody")})
    with pytest.raises(DataError, match="classes of b"):
        compare({"a": one, "b": draw(30, labels=BINARY)})
    with pytest.raises(UsageError):
        compare({})


def _with(predictions: Predictions, column: str, value: str) -> Predictions:
    table = predictions.table.copy()
    table.loc[0, column] = value
    return replace(predictions, table=table)


def test_rows_in_another_order_and_json(draw) -> None:
    one = draw(40)
    other = Predictions(one.table.sample(frac=1, random_state=0).reset_index(drop=True), one.labels)
    found = compare({"one": one, "other": other}, replicates=20)
    assert found.pairs[0].difference["accuracy"].value == 0 and found.pairs[0].delong_p == 1
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert Comparison.from_json(document) == found
    with pytest.raises(DataError, match="expected hilum"):
        Comparison.from_json({})
    assert document["groups"] == {"one": 1, "other": 1} and document["pairs"][0]["mcnemar"]["exact"] == 1
    assert "nothing to compare" in compare({"one": one}, replicates=2).sentence
