from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from hilum.evaluation import Patients, pr_curve, reliability, roc_band, roc_curve
from hilum.evaluation.curves import thin
from hilum.evaluation.metrics import auprc, auroc, ece


def _scores(n: int, seed: int = 0, decimals: int = 9) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    positive = generator.random(n) < 0.4
    return np.round(generator.normal(size=n) + 1.5 * positive, decimals), positive


@pytest.mark.parametrize("decimals", [9, 1])
def test_a_whole_roc_curve_has_the_area_of_the_ranking(decimals: int) -> None:
    score, positive = _scores(300, decimals=decimals)
    curve = roc_curve(score, positive, most_points=10_000)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(auroc(score, positive))
    fpr, tpr, thresholds = sk.roc_curve(positive, score)
    known = set(zip(np.round(fpr, 9), np.round(tpr, 9), thresholds, strict=True))
    assert set(zip(np.round(curve.x, 9), np.round(curve.y, 9), curve.threshold, strict=True)) <= known


def test_points_say_what_their_threshold_gives() -> None:
    score, positive = _scores(200, seed=1, decimals=2)
    roc, pr = roc_curve(score, positive), pr_curve(score, positive)
    for x, y, threshold in zip(roc.x, roc.y, roc.threshold, strict=True):
        called = score >= threshold
        assert (x, y) == pytest.approx((called[~positive].mean(), called[positive].mean()))
    for x, y, threshold in zip(pr.x[1:], pr.y[1:], pr.threshold[1:], strict=True):
        called = score >= threshold
        assert (x, y) == pytest.approx((called[positive].mean(), positive[called].mean()))


def test_thinning_keeps_ends_and_shape() -> None:
    score, positive = _scores(20_000, seed=2)
    whole = roc_curve(score, positive, most_points=100_000)
    curve = roc_curve(score, positive)
    assert len(curve.x) <= 200 < len(whole.x)
    assert (curve.x[0], curve.y[0], curve.threshold[0]) == (0, 0, np.inf)
    assert (curve.x[-1], curve.y[-1]) == (1, 1)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(auroc(score, positive), abs=2e-4)
    assert np.abs(np.interp(whole.x, curve.x, curve.y) - whole.y).max() < 0.02
    assert set(zip(curve.x, curve.y, strict=True)) <= set(zip(whole.x, whole.y, strict=True))
    pr = pr_curve(score, positive)
    assert len(pr.x) <= 200 and pr.x[0] == 0 and pr.x[-1] == 1


def test_steps_of_a_precision_recall_curve_have_the_average_precision() -> None:
    score, positive = _scores(150, seed=3, decimals=1)
    curve = pr_curve(score, positive, most_points=10_000)
    assert np.sum(np.diff(curve.x) * curve.y[1:]) == pytest.approx(auprc(score, positive))
    assert curve.y[0] == curve.y[1]
    assert pr_curve(np.array([3.0, 2.0, 1.0]), np.array([False, True, False])).y[0] == 0


def test_points_on_a_line_are_dropped_and_corners_are_not() -> None:
    line = np.column_stack([np.linspace(0, 1, 50), np.linspace(0, 1, 50)])
    assert thin(line).tolist() == [0, 49]
    corner = np.array([[0, 0], [0, 0.5], [0, 1], [0.5, 1], [1, 1]])
    assert thin(corner).tolist() == [0, 2, 4]
    assert len(thin(np.random.default_rng(0).random((500, 2)), most=20)) == 20
    assert thin(np.zeros((0, 2))).tolist() == []


def test_a_band_holds_the_curve_and_agrees_with_a_bootstrap_loop() -> None:
    score, positive = _scores(300, seed=4, decimals=1)
    patients = Patients.of([str(i // 2) for i in range(300)])
    band = roc_band(score, positive, patients, points=21, replicates=400, seed=1)
    curve = roc_curve(score, positive, most_points=10_000)
    inside = np.interp(band.x, curve.x, curve.y)
    assert np.all((band.low <= inside + 1e-9) & (inside <= band.high + 1e-9))
    generator, rows = np.random.default_rng(7), []
    for _ in range(400):
        drawn = np.concatenate([np.flatnonzero(patients.index == i) for i in generator.integers(150, size=150)])
        fpr, tpr, _ = sk.roc_curve(positive[drawn], score[drawn], drop_intermediate=False)
        rows.append(np.interp(band.x, fpr, tpr))
    low, high = np.quantile(rows, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(band.low, low, atol=0.04)
    np.testing.assert_allclose(band.high, high, atol=0.04)


def test_one_kind_only_gives_nan_not_an_error() -> None:
    score, patients = np.array([0.2, 0.5, 0.7]), Patients.of(["a", "b", "c"])
    assert np.isnan(roc_curve(score, np.ones(3, bool)).x).any()
    assert np.isnan(roc_band(score, np.ones(3, bool), patients, replicates=10).low).all()
    assert np.isnan(pr_curve(score, np.zeros(3, bool)).x).any()


def test_reliability_bins_add_up_to_the_calibration_error(draw) -> None:
    predictions = draw(300)
    confidence, hit = predictions.probs.max(axis=1), predictions.decisions == predictions.target
    bins = reliability(confidence, hit, Patients.of(predictions.table["patient_id"].tolist()))
    total = sum(each.images for each in bins)
    assert total == len(predictions)
    error = sum(each.images / total * abs(each.confidence - each.share.value) for each in bins)
    assert error == pytest.approx(ece(predictions.target, predictions.probs))
    for each in bins:
        assert each.low < each.confidence <= each.high and each.patients <= each.images
        assert each.share.ci_low <= each.share.value <= each.share.ci_high
    assert [each.low for each in bins] == sorted(each.low for each in bins)
