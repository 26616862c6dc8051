"""Every figure against scikit-learn or a short loop, weighted and unweighted."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from hilum.evaluation import metrics

K = 3


def _case(seed: int, num_classes: int = K) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets with every class, probabilities with ties, whole-number weights with zeros."""
    generator = np.random.default_rng(seed)
    n = int(generator.integers(12, 120))
    target = np.concatenate([np.arange(num_classes), generator.integers(num_classes, size=n - num_classes)])
    probs = generator.dirichlet(np.ones(num_classes), n)
    if seed % 2:  # coarse, so that many scores tie
        probs = np.round(probs * 4 + 0.5)
        probs /= probs.sum(axis=1, keepdims=True)
    weights = generator.integers(0, 4, n).astype(float)
    weights[:num_classes] = 1
    return target, probs, weights


@pytest.mark.parametrize("seed", range(10))
def test_matrix_figures_agree_with_scikit_learn(seed: int) -> None:
    target, probs, weights = _case(seed)
    decision = probs.argmax(axis=1)
    confusion = metrics.confusion_matrix(target, decision, K, weights)
    given = {"sample_weight": weights}
    np.testing.assert_array_equal(confusion, sk.confusion_matrix(target, decision, labels=range(K), **given))
    assert metrics.accuracy(confusion) == pytest.approx(sk.accuracy_score(target, decision, **given))
    assert metrics.balanced_accuracy(confusion) == pytest.approx(sk.balanced_accuracy_score(target, decision, **given))
    assert metrics.kappa(confusion) == pytest.approx(sk.cohen_kappa_score(target, decision, **given))
    recall = sk.recall_score(target, decision, average=None, **given)
    np.testing.assert_allclose(metrics.sensitivity(confusion), recall)
    called = np.isin(np.arange(K), decision[weights > 0])
    precision = sk.precision_score(target, decision, average=None, zero_division=0, labels=range(K), **given)
    np.testing.assert_allclose(metrics.ppv(confusion)[called], precision[called])
    np.testing.assert_allclose(metrics.f1(confusion), sk.f1_score(target, decision, average=None, **given))


@pytest.mark.parametrize("seed", range(10))
def test_specificity_and_npv_agree_with_the_other_side_of_a_binary_matrix(seed: int) -> None:
    target, probs, weights = _case(seed)
    decision = probs.argmax(axis=1)
    confusion = metrics.confusion_matrix(target, decision, K, weights)
    for each in range(K):
        is_not, not_called = target != each, decision != each
        kept = weights[is_not]
        specificity = kept[not_called[is_not]].sum() / kept.sum()
        assert metrics.specificity(confusion)[each] == pytest.approx(specificity)
        if weights[not_called].sum():
            npv = weights[is_not & not_called].sum() / weights[not_called].sum()
            assert metrics.npv(confusion)[each] == pytest.approx(npv)


@pytest.mark.parametrize("seed", range(80))
def test_areas_agree_with_scikit_learn_under_ties_and_weights(seed: int) -> None:
    target, probs, weights = _case(seed)
    positive, score = target == seed % K, probs[:, seed % K]
    for each in (None, weights):
        area = sk.roc_auc_score(positive, score, sample_weight=each)
        precision = sk.average_precision_score(positive, score, sample_weight=each)
        assert metrics.auroc(score, positive, each) == pytest.approx(area, abs=1e-12)
        assert metrics.auprc(score, positive, each) == pytest.approx(precision, abs=1e-12)


def test_a_whole_number_weight_means_that_many_copies() -> None:
    target, probs, weights = _case(3)
    copies = np.repeat(np.arange(len(target)), weights.astype(int))
    for figure in (metrics.brier, metrics.log_loss, metrics.ece):
        assert figure(target, probs, weights) == pytest.approx(figure(target[copies], probs[copies]))
    positive, score = target == 1, probs[:, 1]
    assert metrics.auroc(score, positive, weights) == pytest.approx(metrics.auroc(score[copies], positive[copies]))
    assert metrics.auprc(score, positive, weights) == pytest.approx(metrics.auprc(score[copies], positive[copies]))


def test_many_weightings_at_once_are_the_rows_one_by_one() -> None:
    target, probs, _ = _case(5)
    rows = np.random.default_rng(0).integers(0, 3, (7, len(target))).astype(float)
    positive, score = target == 0, probs[:, 0]
    together = {
        "auroc": metrics.auroc(score, positive, rows),
        "auprc": metrics.auprc(score, positive, rows),
        "ece": metrics.ece(target, probs, rows),
        "brier": metrics.brier(target, probs, rows),
        "kappa": metrics.kappa(metrics.confusion_matrix(target, probs.argmax(axis=1), K, rows)),
    }
    for i, row in enumerate(rows):
        alone = [
            metrics.auroc(score, positive, row),
            metrics.auprc(score, positive, row),
            metrics.ece(target, probs, row),
            metrics.brier(target, probs, row),
            metrics.kappa(metrics.confusion_matrix(target, probs.argmax(axis=1), K, row)),
        ]
        np.testing.assert_allclose([values[i] for values in together.values()], alone)


@pytest.mark.parametrize("seed", range(5))
def test_probability_figures_agree_with_scikit_learn(seed: int) -> None:
    target, probs, weights = _case(seed)
    expected = sk.log_loss(target, probs, sample_weight=weights, labels=range(K))
    assert metrics.log_loss(target, probs, weights) == pytest.approx(expected)
    loop = sum(
        w * sum((p - (k == t)) ** 2 for k, p in enumerate(row))
        for w, t, row in zip(weights, target, probs, strict=True)
    )
    assert metrics.brier(target, probs, weights) == pytest.approx(loop / weights.sum())


def test_the_binary_brier_score_is_that_of_the_positive_class() -> None:
    target, probs, weights = _case(2, num_classes=2)
    expected = sk.brier_score_loss(target, probs[:, 1], sample_weight=weights)
    assert metrics.brier(target, probs, weights) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(6))
def test_ece_agrees_with_a_loop_over_bins(seed: int) -> None:
    target, probs, _ = _case(seed)
    confidence, hit = probs.max(axis=1), probs.argmax(axis=1) == target
    expected = 0.0
    for i in range(15):
        inside = (confidence > i / 15 + 1e-12) & (confidence <= (i + 1) / 15 + 1e-12)
        if inside.any():
            expected += inside.mean() * abs(hit[inside].mean() - confidence[inside].mean())
    assert metrics.ece(target, probs) == pytest.approx(expected)


def test_a_sure_and_right_model_is_calibrated_and_a_sure_and_wrong_one_is_not() -> None:
    target, sure = np.array([0, 1, 1]), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert metrics.ece(target, sure) == 0
    assert metrics.ece(1 - target, sure) == 1
    assert np.isfinite(metrics.log_loss(1 - target, sure))


def test_what_is_not_defined_is_nan_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        absent = metrics.confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), K)
        assert np.isnan(metrics.sensitivity(absent)[2]) and np.isnan(metrics.ppv(absent)[2])
        assert np.isnan(metrics.f1(absent)[2]) and np.isfinite(metrics.balanced_accuracy(absent))
        assert np.isnan(metrics.kappa(np.array([[5.0, 0.0], [0.0, 0.0]])))
        assert np.isnan(metrics.auroc(np.array([0.1, 0.2]), np.array([True, True])))
        assert np.isnan(metrics.auprc(np.array([0.1, 0.2]), np.array([False, False])))
        assert np.isnan(metrics.auroc(np.array([0.1, 0.2]), np.array([True, False]), np.array([1.0, 0.0])))
        assert np.isnan(metrics.accuracy(np.zeros((2, 2))))
