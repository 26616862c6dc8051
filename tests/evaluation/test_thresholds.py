"""Operating points against scans of every threshold, and predictive values against Bayes' rule and simulation."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.errors import UsageError
from hilum.evaluation import Estimate
from hilum.evaluation.intervals import wilson_interval
from hilum.evaluation.thresholds import (
    OperatingPoint,
    apply_point,
    describe_points,
    even_threshold,
    fit_points,
    predictive_values,
)
from hilum.labels import LabelSet

BINARY = ("NORMAL", "PNEUMONIA")


def _by_name(points):
    return {point.name: point for point in points}


def test_each_rule_keeps_its_word_on_validation(draw) -> None:
    predictions = draw(250, labels=BINARY, split="val")
    score, positive = predictions.probs[:, 1], predictions.target == 1
    points = _by_name(fit_points(predictions.probs, predictions.target, predictions.labels))
    every = np.linspace(0, 1, 4001)[:, None]
    found, silent = (score >= every)[:, positive].mean(1), (score < every)[:, ~positive].mean(1)
    youden = points["youden"]
    assert youden.sensitivity + youden.specificity >= (found + silent).max() - 1e-9
    fixed = points["sensitivity-95"]
    assert fixed.sensitivity >= 0.95 and fixed.specificity >= silent[found >= 0.95].max() - 1e-9
    costs = 5 * (1 - found) * positive.sum() + (1 - silent) * (~positive).sum()
    own = points["cost-5"]
    cost = 5 * (1 - own.sensitivity) * positive.sum() + (1 - own.specificity) * (~positive).sum()
    assert cost <= costs.min() + 1e-9 and own.sensitivity >= youden.sensitivity - 0.05
    for point in points.values():
        given = apply_point(point, predictions)
        assert given.sensitivity.value == pytest.approx(point.sensitivity)
        assert given.specificity.value == pytest.approx(point.specificity)
        assert given.accuracy.value == pytest.approx(((score >= point.threshold) == positive).mean())
        assert given.accuracy.ci_low < given.accuracy.value < given.accuracy.ci_high
        assert given.flagged.k == int((score >= point.threshold).sum()) and given.ppv.n == given.flagged.k
        assert given.sensitivity.ci_low < given.sensitivity.value < given.sensitivity.ci_high


def test_the_even_threshold_makes_both_errors_alike_between_normal_classes() -> None:
    generator = np.random.default_rng(0)
    odds = np.r_[generator.normal(-4, 1, 40000), generator.normal(6, 3, 40000)]
    positive = np.arange(80000) >= 40000
    cut = even_threshold(1 / (1 + np.exp(-odds)), positive)
    assert np.log(cut / (1 - cut)) == pytest.approx(-1.5, abs=0.1)  # 2.5 deviations from each
    found, silent = (
        (odds[positive] >= np.log(cut / (1 - cut))).mean(),
        (odds[~positive] < np.log(cut / (1 - cut))).mean(),
    )
    assert found == pytest.approx(silent, abs=0.003)


def test_the_even_point_is_there_where_pictures_were_seen_as_elsewhere_and_follows_them() -> None:
    generator = np.random.default_rng(1)
    positive = np.arange(400) >= 100
    odds = generator.normal(0, 1, 400) + np.where(positive, 4.0, -4.0)
    moved = odds + np.where(positive, 0.0, 3.0)  # elsewhere the negatives are less surely so

    def cut(elsewhere):
        probs, target = 1 / (1 + np.exp(-odds)), positive.astype(int)
        more = None if elsewhere is None else (np.c_[1 - elsewhere, elsewhere], target)
        return _by_name(fit_points(np.c_[1 - probs, probs], target, LabelSet(BINARY), elsewhere=more))

    assert "even" not in cut(None)
    as_it_is, shifted = (cut(1 / (1 + np.exp(-each)))["even"].threshold for each in (odds, moved))
    assert 0.3 < as_it_is < 0.7 < shifted


def test_sure_scores_and_scores_that_are_all_alike_have_a_threshold() -> None:
    positive = np.arange(40) < 20
    assert even_threshold(positive.astype(float), positive) == pytest.approx(0.5, abs=1e-3)
    assert 0 <= even_threshold(np.full(40, 0.7), positive) <= 1


def test_a_promise_holds_on_other_images_within_its_interval(draw) -> None:
    held = 0
    for seed in range(40):
        fitted, other = (draw(200, labels=BINARY, seed=seed + shift) for shift in (0, 1000))
        point = _by_name(fit_points(fitted.probs, fitted.target, fitted.labels))["sensitivity-95"]
        held += apply_point(point, other).sensitivity.ci_high >= 0.95
    assert held >= 34


def test_more_classes_are_each_against_the_rest(draw) -> None:
    predictions = draw(120, split="val")
    points = fit_points(predictions.probs, predictions.target, predictions.labels, sensitivity=0.8, cost=2)
    assert {(point.name, point.label) for point in points} == {
        (name, label) for name in ("youden", "sensitivity-80", "cost-2") for label in predictions.labels
    }
    assert [OperatingPoint.from_json(point.to_json()) for point in points] == list(points)
    assert describe_points([apply_point(points[0], predictions)])[0]["sensitivity"]["n"]


def test_too_few_images_fit_nothing_and_wrong_wishes_are_refused(draw) -> None:
    few = draw(12, labels=BINARY)
    assert fit_points(few.probs[:12], few.target[:12] * 0, few.labels) == ()
    for wish in ({"sensitivity": 1.0}, {"cost": 0}):
        with pytest.raises(UsageError):
            fit_points(few.probs, few.target, few.labels, **wish)


def _of(k: int, n: int) -> Estimate:
    low, high, _ = wilson_interval(k / n, n)
    return Estimate(k / n, low, high)


def test_predictive_values_are_those_of_bayes() -> None:
    """Sensitivity 0.9, specificity 0.8: at 5 % the PPV is 0.045 / (0.045 + 0.19) = 0.191."""
    ppv, npv = predictive_values(_of(90, 100), _of(160, 200), 0.05)
    assert ppv.value == pytest.approx(0.045 / 0.235) and npv.value == pytest.approx(0.76 / 0.765)
    assert ppv.ci_low < ppv.value < ppv.ci_high and npv.ci_low < npv.value < npv.ci_high
    for prevalence in (0, 1, 1.5):
        with pytest.raises(UsageError, match="--prevalence"):
            predictive_values(_of(9, 10), _of(9, 10), prevalence)


@pytest.mark.parametrize(("sensitivity", "specificity"), [(0.9, 0.8), (0.97, 0.97), (0.7, 0.99)])
def test_their_intervals_hold_the_truth(sensitivity: float, specificity: float) -> None:
    generator, held = np.random.default_rng(0), []
    truth = 0.1 * sensitivity / (0.1 * sensitivity + 0.9 * (1 - specificity))
    for _ in range(600):
        drawn = generator.binomial(150, sensitivity), generator.binomial(250, specificity)
        ppv, _npv = predictive_values(_of(drawn[0], 150), _of(drawn[1], 250), 0.1)
        held.append(ppv.ci_low <= truth <= ppv.ci_high)
    assert 0.92 <= np.mean(held) <= 0.985


def test_no_false_alarm_leaves_the_upper_end_open() -> None:
    ppv, npv = predictive_values(_of(50, 50), _of(60, 60), 0.02)
    assert ppv.value == 1 and ppv.ci_high == pytest.approx(1) and 0.1 < ppv.ci_low < 0.5
    assert npv.value == 1 and npv.ci_low > 0.99
    assert np.isnan(predictive_values(_of(0, 50), _of(60, 60), 0.5)[0].value)
