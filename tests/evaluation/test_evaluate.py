"""Predictions in, Evaluation out, as the workflow calls it."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
from sklearn import metrics as sk

from hilum.data.predictions import Predictions
from hilum.errors import DataError, UsageError
from hilum.evaluation import Evaluation, evaluate, read_evaluations, write_evaluations
from hilum.evaluation.figures import OVERALL, PER_CLASS
from hilum.labels import LabelSet

BINARY = ("NORMAL", "PNEUMONIA")


def test_three_classes_agree_with_scikit_learn(draw) -> None:
    predictions = draw(200)
    found = evaluate(predictions, replicates=50)
    target, probs, decision = predictions.target, predictions.probs, predictions.decisions
    np.testing.assert_array_equal(found.confusion, sk.confusion_matrix(target, decision))
    expected = {
        "accuracy": sk.accuracy_score(target, decision),
        "balanced_accuracy": sk.balanced_accuracy_score(target, decision),
        "sensitivity": sk.recall_score(target, decision, average="macro"),
        "ppv": sk.precision_score(target, decision, average="macro"),
        "f1": sk.f1_score(target, decision, average="macro"),
        "auroc": sk.roc_auc_score(target, probs, multi_class="ovr"),
        "auprc": np.mean([sk.average_precision_score(target == k, probs[:, k]) for k in range(3)]),
        "log_loss": sk.log_loss(target, probs),
        "kappa": sk.cohen_kappa_score(target, decision),
    }
    for name, value in expected.items():
        assert found.overall[name].value == pytest.approx(value), name
    assert found.positive is None
    assert [entry.label for entry in found.per_class] == ["NORMAL", "bacteria", "virus"]
    for position, entry in enumerate(found.per_class):
        assert entry.images == (target == position).sum()
        assert entry.auroc.value == pytest.approx(sk.roc_auc_score(target == position, probs[:, position]))


def test_binary_figures_are_of_the_positive_class(draw) -> None:
    predictions = draw(200, labels=("PNEUMONIA", "NORMAL"), shares=(0.3, 0.7))
    found = evaluate(predictions, replicates=50)
    assert found.positive == "PNEUMONIA"
    is_it, score = predictions.target == 0, predictions.probs[:, 0]
    assert found.overall["auprc"].value == pytest.approx(sk.average_precision_score(is_it, score))
    assert found.overall["brier"].value == pytest.approx(sk.brier_score_loss(is_it, score))
    for name in PER_CLASS:
        assert found.overall[name] == getattr(found.per_class[0], name)
    assert found.overall["sensitivity"].value == found.per_class[1].specificity.value
    assert "PNEUMONIA against NORMAL" in found.averaging["ppv"]


def test_every_figure_has_an_interval_around_it_and_words(draw) -> None:
    found = evaluate(draw(120), replicates=200)
    assert tuple(found.overall) == OVERALL == tuple(found.averaging)
    figures = [*found.overall.values(), *(getattr(entry, name) for entry in found.per_class for name in PER_CLASS)]
    for figure in figures:
        assert figure.ci_low < figure.value < figure.ci_high
    assert "200 replicates" in found.averaging["f1"] and "macro over 3 classes" in found.averaging["f1"]
    assert "15 bins" in found.averaging["ece"]
    assert found.source["level"] == 0.95 and found.source["seed"] == 0 and found.source["replicates"] == 200


def test_shares_carry_their_images(draw) -> None:
    predictions = draw(150)
    found = evaluate(predictions, replicates=10)
    confusion = np.array(found.confusion)
    for position, entry in enumerate(found.per_class):
        assert (entry.sensitivity.k, entry.sensitivity.n) == (confusion[position, position], confusion[position].sum())
        assert (entry.ppv.k, entry.ppv.n) == (confusion[position, position], confusion[:, position].sum())
        others = np.delete(confusion, position, axis=0)
        assert entry.specificity.k == np.delete(others, position, axis=1).sum()
        assert entry.specificity.n == others.sum()
        assert entry.npv.k == entry.specificity.k
        assert entry.npv.value == entry.npv.k / entry.npv.n
        assert entry.f1.k is None and entry.auroc.n is None
    accuracy = found.overall["accuracy"]
    assert accuracy.value == accuracy.k / accuracy.n == np.trace(confusion) / confusion.sum()


def test_rows_may_come_in_any_order(draw) -> None:
    predictions = draw(100)
    shuffled = Predictions(predictions.table.sample(frac=1, random_state=3), predictions.labels)
    one, other = (evaluate(each, replicates=100).to_json() for each in (predictions, shuffled))
    assert one.keys() == other.keys()
    for name in OVERALL:
        for end in ("value", "ci_low", "ci_high"):
            assert one["overall"][name][end] == pytest.approx(other["overall"][name][end], rel=1e-9)


def test_the_seed_decides(draw) -> None:
    predictions = draw(60)
    first, again, other = (evaluate(predictions, replicates=100, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.overall["auroc"].value == other.overall["auroc"].value
    assert first.overall["kappa"].ci_low != other.overall["kappa"].ci_low


def test_a_higher_level_is_wider(draw) -> None:
    predictions = draw(80)
    narrow, wide = (evaluate(predictions, replicates=200, level=level) for level in (0.8, 0.99))
    for name in OVERALL:
        assert wide.overall[name].ci_low < narrow.overall[name].ci_low, name
        assert wide.overall[name].ci_high > narrow.overall[name].ci_high, name


def test_patients_with_many_images_count_as_patients(draw) -> None:
    alike = draw(60, extra_images=5, alike=0.95, seed=2)
    loose = alike.table.assign(patient_id=[str(i) for i in range(len(alike))])
    by_patient, by_image = evaluate(alike), evaluate(Predictions(loose, alike.labels))
    assert by_patient.patients == 60 and by_image.patients == by_image.images == len(alike)
    for name in ("accuracy", "balanced_accuracy", "auroc", "log_loss"):
        widths = [each.overall[name].ci_high - each.overall[name].ci_low for each in (by_patient, by_image)]
        assert widths[0] > 1.4 * widths[1], name


def test_a_perfect_model_is_not_certain(draw) -> None:
    found = evaluate(draw(40, skill=60))
    for name in ("accuracy", "balanced_accuracy", "sensitivity", "ppv", "f1", "auroc", "auprc", "kappa"):
        estimate = found.overall[name]
        assert estimate.value == estimate.ci_high == 1, name
        assert 0.5 < estimate.ci_low < 0.96, name
    for entry in found.per_class:
        for name in PER_CLASS:
            assert getattr(entry, name).value == 1 > getattr(entry, name).ci_low > 0.5, name
    assert "exact binomial" in found.averaging["accuracy"]
    assert found.verdicts == ()


def test_an_absent_class_is_undefined_not_an_error(draw) -> None:
    few = draw(80, shares=(0.5, 0.5, 0.0))
    found = evaluate(few, replicates=50)
    virus = found.per_class[2]
    assert virus.images == 0 and virus.sensitivity.n == 0
    for name in ("sensitivity", "auroc", "auprc"):
        assert all(math.isnan(end) for end in (getattr(virus, name).value, getattr(virus, name).ci_low))
    assert math.isfinite(found.overall["auroc"].value)
    assert "2 of 3 classes (no image of virus)" in found.averaging["auroc"]
    assert found.overall["balanced_accuracy"].value == pytest.approx(
        np.mean([entry.sensitivity.value for entry in found.per_class[:2]])
    )


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_handful_of_images_gives_figures_not_errors(draw, rows: int) -> None:
    tiny = draw(rows, extra_images=0, seed=1)
    found = evaluate(tiny, replicates=20)
    assert found.images == rows
    for estimate in found.overall.values():
        assert not (
            math.isfinite(estimate.value) and math.isfinite(estimate.ci_low) and estimate.ci_low > estimate.value
        )


def test_json_holds_everything(draw, tmp_path) -> None:
    found = evaluate(draw(50, shares=(0.5, 0.5, 0.0)), replicates=20, source={"predictions": "run/predictions.parquet"})
    write_evaluations(tmp_path / "metrics.json", {"val": found})
    text = (tmp_path / "metrics.json").read_text()
    assert "NaN" not in text
    read = read_evaluations(tmp_path / "metrics.json")["val"]
    assert json.dumps(read.to_json()) == json.dumps(found.to_json())
    assert read.per_class[0] == found.per_class[0]
    assert read.source["predictions"] == "run/predictions.parquet"
    assert math.isnan(read.per_class[2].auroc.value)
    assert isinstance(read, Evaluation) and not read.collapsed


def test_what_cannot_be_evaluated_is_refused(draw) -> None:
    predictions = draw(20)
    with pytest.raises(DataError, match="at least one image"):
        evaluate(Predictions(predictions.table.iloc[:0], LabelSet(predictions.labels.names)))
    with pytest.raises(UsageError, match="level"):
        evaluate(predictions, level=95)


def test_a_thousand_replicates_of_a_test_split_take_a_moment(draw) -> None:
    predictions = draw(416)
    evaluate(predictions, replicates=2)
    start = time.process_time()
    found = evaluate(predictions, replicates=1000)
    assert found.images > 600
    assert time.process_time() - start < 2
