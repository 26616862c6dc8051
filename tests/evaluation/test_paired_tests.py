"""Paired tests against published values, scipy, slow loops, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.paired_tests import delong, holm, mcnemar


def _calls(both: int, first_only: int, second_only: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    cells = [(1, 1)] * both + [(1, 0)] * first_only + [(0, 1)] * second_only + [(0, 0)] * neither
    first, second = np.array(cells, dtype=bool).T
    return first, second


def _kernel_delong(one, other, positive) -> tuple[float, float]:
    """Straight from the paper, with every pair of images."""
    x, y = [score[positive] for score in (one, other)], [score[~positive] for score in (one, other)]
    psi = [(a[:, None] > b).astype(float) + 0.5 * (a[:, None] == b) for a, b in zip(x, y, strict=True)]
    ten, one_ = np.array([each.mean(1) for each in psi]), np.array([each.mean(0) for each in psi])
    cov = np.cov(ten) / len(x[0]) + np.cov(one_) / len(y[0])
    contrast = np.array([1, -1])
    return float(psi[0].mean() - psi[1].mean()), float(np.sqrt(contrast @ cov @ contrast))


def test_published_example_of_mcnemar() -> None:
    """Fagerland et al. 2013, table 1: 1 and 7 discordant pairs of 21."""
    found = mcnemar(*_calls(1, 7, 1, 12))
    assert (found.first_only, found.second_only) == (7, 1)
    assert found.exact == pytest.approx(0.0703, abs=5e-5) and found.mid == pytest.approx(0.0391, abs=5e-5)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (3, 3), (150, 86), (5, 0), (0, 12), (77, 75)])
def test_mcnemar_is_the_binomial_test(b: int, c: int) -> None:
    expected = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar(*_calls(10, b, c, 4)).exact == pytest.approx(expected, rel=1e-9)


def test_three_of_81_images_decide_nothing() -> None:
    """95.06 % against 92.59 %: 77 and 75 of 81, were the difference as plain as it can be."""
    assert mcnemar(*_calls(75, 2, 0, 4)).exact == 0.5


def test_mcnemar_of_patients_counts_every_choice_of_signs() -> None:
    generator = np.random.default_rng(0)
    patient = np.repeat(np.arange(9), 3)
    first, second = generator.random((2, 27)) < np.array([[0.8], [0.5]])
    sums = np.bincount(patient, weights=first.astype(int) - second)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 9)).reshape(9, -1).T
    every = np.abs(signs @ sums)
    found = mcnemar(first, second, Patients(patient, 9))
    assert found.exact == pytest.approx(np.mean(every >= abs(sums.sum())))
    assert found.mid == pytest.approx(np.mean(every > abs(sums.sum())) + 0.5 * np.mean(every == abs(sums.sum())))


@pytest.mark.parametrize("seed", range(6))
def test_delong_agrees_with_every_pair_of_images(seed: int) -> None:
    generator = np.random.default_rng(seed)
    positive = np.arange(90) < 25
    one, other = generator.normal(size=(2, 90)) + positive + generator.normal(size=90)
    if seed % 2:
        one, other = one.round(), other.round(1)  # ties
    difference, error = _kernel_delong(one, other, positive)
    found = delong(one, other, positive)
    assert (found.first - found.second, found.standard_error) == pytest.approx((difference, error))
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(difference) / error))


def test_delong_of_patients_agrees_with_leaving_one_out() -> None:
    generator = np.random.default_rng(1)
    patient = np.repeat(np.arange(150), 3)
    target = generator.integers(3, size=150)[patient]
    noise = generator.normal(size=(2, 450, 3)) + 1.5 * generator.normal(size=(2, 150, 3))[:, patient]
    one, other = noise + 1.2 * np.eye(3)[target]
    found = delong(one, other, target, Patients(patient, 150))
    left_out = [_difference(one, other, target, patient != each) for each in range(150)]
    jackknife = np.sqrt(149 / 150 * ((left_out - np.mean(left_out)) ** 2).sum())
    assert found.standard_error == pytest.approx(jackknife, rel=0.03)
    alone = delong(one, other, target).standard_error
    assert alone < 0.8 * found.standard_error  # taking images for patients would promise too much


def _difference(one, other, target, kept) -> float:
    found = delong(one[kept], other[kept], target[kept])
    return found.first - found.second


def test_models_that_rank_alike_are_alike() -> None:
    positive = np.arange(40) < 10
    score = np.random.default_rng(0).normal(size=40)
    assert delong(score, np.exp(score), positive).p == 1.0
    assert np.isnan(delong(score, score, np.ones(40, bool)).first)


def test_a_true_null_is_rejected_five_times_in_a_hundred() -> None:
    generator, rejected = np.random.default_rng(2), []
    for _ in range(800):
        patient = np.repeat(np.arange(80), 1 + generator.poisson(1, 80))
        positive = (np.arange(80) < 30)[patient]
        own = generator.normal(size=(2, 80))[:, patient]
        one, other = 1.2 * positive + own + 0.5 * generator.normal(size=(2, len(patient)))
        who = Patients(patient, 80)
        rejected.append((delong(one, other, positive, who).p < 0.05, mcnemar(one > 0.6, other > 0.6, who).mid < 0.05))
    ranks, calls = np.mean(rejected, axis=0)
    assert 0.03 <= ranks <= 0.08 and calls <= 0.07


def test_holm() -> None:
    """0.01, 0.04, 0.03, 0.005 -> 0.03, 0.06, 0.06, 0.02, the textbook's example."""
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).tolist() == [] and holm([0.9, 0.8]).tolist() == [1.0, 1.0]
