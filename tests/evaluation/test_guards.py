"""Verdicts: each fires on a planted case, and is silent on healthy ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hilum.evaluation import Estimate, evaluate, find_verdicts
from hilum.evaluation.guards import can_tell, independence_test

BINARY = ("NORMAL", "PNEUMONIA")
THREE = ("bacteria", "normal", "virus")


def _codes(found) -> list[str]:
    return [verdict.code for verdict in (found.verdicts if hasattr(found, "verdicts") else found)]


def test_everything_called_pneumonia(of_matrix) -> None:
    """[[0, 234], [0, 390]]: 62.5 % accuracy that is only the share of pneumonia."""
    found = evaluate(of_matrix([[0, 234], [0, 390]], BINARY), replicates=20)
    (verdict,) = found.verdicts
    assert (verdict.code, verdict.severity) == ("one-class", "error")
    assert verdict.sentence == "All 624 test images were called PNEUMONIA; 62.5 % is just the share of PNEUMONIA."
    assert found.collapsed


def test_labels_and_calls_out_of_step_binary(of_matrix) -> None:
    """[[87, 147], [128, 262]] was published beside an accuracy of 86.7 %."""
    found = evaluate(of_matrix([[87, 147], [128, 262]], BINARY), replicates=20)
    (verdict,) = found.verdicts
    assert (verdict.code, verdict.severity) == ("independent", "error")
    assert "chi-square 1.23, p = 0.27, kappa 0.04" in verdict.sentence
    assert "55.9 %" in verdict.sentence and "624 test images" in verdict.sentence


def test_labels_and_calls_out_of_step_three_classes() -> None:
    """[[117, 64, 61], [101, 73, 60], [70, 41, 37]] was published beside 83.97 %."""
    (verdict,) = find_verdicts(np.array([[117, 64, 61], [101, 73, 60], [70, 41, 37]]), THREE)
    assert verdict.code == "independent"
    assert "chi-square 1.75, p = 0.78" in verdict.sentence and "36.4 %" in verdict.sentence


@pytest.mark.parametrize("seed", range(10))
def test_a_third_right_by_chance_on_three_classes(draw, seed: int) -> None:
    """Weights that were never loaded, or labels shuffled after the fact, on 624 images."""
    found = evaluate(draw(624, shares=(0.375, 0.388, 0.237), skill=0, extra_images=0, seed=seed), replicates=100)
    assert found.overall["accuracy"].value == pytest.approx(0.333, abs=0.06)
    assert _codes(found) == ["independent"]


@pytest.mark.parametrize("seed", range(20))
def test_healthy_models_are_left_alone(draw, seed: int) -> None:
    """Of every size and skill from fair to perfect, binary and of three classes, balanced or not."""
    generator = np.random.default_rng(seed)
    labels, shares = [(BINARY, (0.5, 0.5)), (BINARY, (0.9, 0.1)), (THREE, (0.4, 0.4, 0.2))][seed % 3]
    skill, patients = generator.uniform(1.2, 6), int(generator.choice([12, 40, 200, 600]))
    found = evaluate(draw(patients, labels=labels, shares=shares, skill=skill, seed=seed), replicates=50)
    assert not found.collapsed, found.verdicts


@pytest.mark.parametrize("seed", range(10))
def test_a_weak_but_real_model_is_not_called_independent(draw, seed: int) -> None:
    """About 60 % balanced accuracy."""
    found = evaluate(draw(500, labels=BINARY, skill=0.36, extra_images=0.3, seed=seed), replicates=200)
    assert 0.54 < found.overall["balanced_accuracy"].value < 0.67
    assert found.verdicts == ()


@pytest.mark.parametrize("confusion", [[[4, 1], [2, 3]], [[3, 2], [2, 3]], [[20, 10], [12, 18]]])
def test_too_few_images_to_tell_say_nothing(confusion) -> None:
    assert find_verdicts(np.array(confusion), BINARY) == ()
    assert find_verdicts(20 * np.array([[3, 3], [3, 3]]), BINARY)


def test_images_of_few_patients_are_not_enough_to_tell() -> None:
    shuffled = np.array([[87, 147], [128, 262]])
    assert find_verdicts(shuffled, BINARY, effective_images=40) == ()
    assert _codes(find_verdicts(shuffled, BINARY, effective_images=400)) == ["independent"]


def test_probabilities_that_rank_speak_against_independence() -> None:
    shuffled = np.array([[87, 147], [128, 262]])
    assert find_verdicts(shuffled, BINARY, auroc=Estimate(0.62, 0.57, 0.67)) == ()
    assert _codes(find_verdicts(shuffled, BINARY, auroc=Estimate(0.52, 0.47, 0.57))) == ["independent"]


def test_one_call_on_a_set_that_asks_for_hardly_another_is_a_warning() -> None:
    (verdict,) = find_verdicts(np.array([[0, 3], [0, 40]]), BINARY)
    assert (verdict.code, verdict.severity) == ("one-class", "warning")
    (verdict,) = find_verdicts(np.array([[0, 7], [0, 40]]), BINARY)
    assert verdict.severity == "error"


def test_one_call_that_is_always_wrong_and_one_that_ranks_well(draw) -> None:
    (verdict,) = find_verdicts(np.array([[0, 0, 30], [0, 0, 30], [0, 0, 0]]), THREE, split="val")
    assert verdict.sentence == "All 60 validation images were called virus, and not one of them is."
    predictions = draw(300, labels=BINARY, shares=(0.5, 0.5), skill=1.5)
    shifted = predictions.logits + np.array([0.0, 12.0])
    rows = predictions.table.rename(columns={"target": "label"})
    found = evaluate(type(predictions).of(rows, shifted, predictions.labels), replicates=100)
    assert _codes(found) == ["one-class"] and "another threshold" in found.verdicts[0].sentence


def test_nearly_one_class() -> None:
    (verdict,) = find_verdicts(np.array([[6, 228], [0, 390]]), BINARY)
    assert (verdict.code, verdict.severity) == ("nearly-one-class", "warning")
    assert verdict.sentence == "618 of 624 test images were called PNEUMONIA: 6 got another call, 234 needed one."
    assert find_verdicts(np.array([[3, 1], [1, 500]]), BINARY) == ()


def test_columns_in_another_order() -> None:
    """Rows of 242, 234 and 148 images read in another order than that of the columns."""
    right = np.array([[220, 12, 10], [4, 200, 30], [20, 8, 120]])
    assert find_verdicts(right, THREE) == ()
    (verdict,) = find_verdicts(right[:, [1, 2, 0]], THREE)
    assert (verdict.code, verdict.severity) == ("label-order", "error")
    assert "to 86.5 %" in verdict.sentence
    (verdict,) = find_verdicts(right[:, [0, 2, 1]], THREE)
    assert verdict.code == "label-order" and "virus as normal, normal as virus" in verdict.sentence
    (verdict,) = find_verdicts(np.array([[30, 204], [350, 40]]), BINARY)
    assert verdict.code == "label-order"


def test_a_class_confused_with_another_is_not_another_order() -> None:
    assert find_verdicts(np.array([[200, 20, 14], [12, 110, 120], [4, 78, 66]]), THREE) == ()


def test_a_class_that_is_never_called() -> None:
    (verdict,) = find_verdicts(np.array([[200, 20, 0], [20, 200, 0], [90, 50, 0]]), THREE)
    assert (verdict.code, verdict.severity) == ("never-called", "warning")
    assert verdict.sentence == "None of 580 test images was called virus; 140 are."


def test_one_true_class() -> None:
    (verdict,) = find_verdicts(np.array([[0, 0], [5, 20]]), BINARY)
    assert (verdict.code, verdict.severity) == ("one-true-class", "warning")


@pytest.mark.parametrize("seed", range(5))
def test_the_test_agrees_with_scipy_where_counts_are_large_and_with_fisher_where_they_are_small(seed: int) -> None:
    generator = np.random.default_rng(seed)
    large = generator.integers(20, 90, (3, 3))
    expected = stats.chi2_contingency(large, correction=False)
    assert independence_test(large) == pytest.approx((expected.statistic, expected.pvalue))
    assert independence_test(large, large.sum() / 4)[0] == pytest.approx(expected.statistic / 4)
    # With two rows and columns of equal margins chi-square and Fisher's test order the tables alike.
    small = np.array([[6 - seed % 3, seed % 3], [seed % 3, 6 - seed % 3]])
    assert independence_test(small)[1] == pytest.approx(stats.fisher_exact(small).pvalue, abs=0.04)


def test_enough_to_tell_is_the_power_that_simulation_finds() -> None:
    """With V = 0.3 in two balanced classes, 198 images give 95 % power at 1 %."""
    generator = np.random.default_rng(0)
    assert can_tell(np.array([[1, 1], [1, 1]]), 198) and not can_tell(np.array([[1, 1], [1, 1]]), 190)
    cells = generator.multinomial(198, [0.325, 0.175, 0.175, 0.325], size=2000).reshape(-1, 2, 2)
    found = np.mean([stats.chi2_contingency(each, correction=False).pvalue <= 0.01 for each in cells[:600]])
    assert found == pytest.approx(0.95, abs=0.025)
