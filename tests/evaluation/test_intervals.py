from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.intervals import (
    bounded_interval,
    design_effect,
    exact_interval,
    percentile_interval,
    perfect_ranking_floor,
    positive_interval,
    reflected_interval,
    share_interval,
    wilson_interval,
)


def _each_its_own(k: int, n: int) -> tuple[np.ndarray, Patients, np.ndarray]:
    return np.arange(n) < k, Patients.of([str(i) for i in range(n)]), np.ones(n, bool)


@pytest.mark.parametrize(("k", "n"), [(0, 5), (1, 5), (3, 8), (8, 8), (549, 624)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_binomial_intervals_agree_with_scipy(k: int, n: int, level: float) -> None:
    exact = stats.binomtest(k, n).proportion_ci(level, method="exact")
    assert exact_interval(k, n, level)[:2] == pytest.approx((exact.low, exact.high))
    wilson = stats.binomtest(k, n).proportion_ci(level, method="wilson")
    assert wilson_interval(k / n, n, level)[:2] == pytest.approx((wilson.low, wilson.high), abs=1e-12)


@pytest.mark.parametrize(("k", "n", "low", "high"), [(549, 624, 85.2, 90.3), (35, 40, 73.9, 94.5)])
def test_where_every_image_is_a_patient_known_shares_get_their_known_intervals(
    k: int, n: int, low: float, high: float
) -> None:
    interval = share_interval(*_each_its_own(k, n))
    assert (100 * interval.low, 100 * interval.high) == pytest.approx((low, high), abs=0.05)


def test_at_the_boundary_the_interval_is_exact_on_patients() -> None:
    hit, patients, inside = _each_its_own(40, 40)
    assert share_interval(hit, patients, inside)[:2] == pytest.approx((0.025 ** (1 / 40), 1))
    assert share_interval(~hit, patients, inside)[:2] == pytest.approx((0, 1 - 0.025 ** (1 / 40)))
    copies = Patients.of([str(i // 4) for i in range(40)])
    interval = share_interval(hit, copies, inside)
    assert interval.low == pytest.approx(0.025 ** (1 / 10))
    assert interval.basis == "exact binomial interval on 10 patients"


def test_copies_of_an_image_add_nothing() -> None:
    hit, patients, inside = _each_its_own(35, 50)
    alone = share_interval(hit, patients, inside)
    copied = share_interval(np.repeat(hit, 6), Patients.of(np.repeat(np.arange(50), 6).tolist()), np.ones(300, bool))
    assert copied[:2] == pytest.approx(alone[:2], abs=0.003)
    blind = share_interval(np.repeat(hit, 6), Patients.of([str(i) for i in range(300)]), np.ones(300, bool))
    assert blind.high - blind.low < 0.5 * (alone.high - alone.low)


def test_more_misses_never_give_a_higher_lower_end() -> None:
    patients = Patients.of([str(i // 2) for i in range(80)])
    ends = [share_interval(np.arange(80) < k, patients, np.ones(80, bool)).low for k in range(60, 81)]
    assert np.all(np.diff(ends) > -0.004)


def test_the_design_effect_of_images_that_stand_and_fall_together_is_their_number() -> None:
    generator = np.random.default_rng(0)
    hit = generator.random(4000) < 0.8
    assert design_effect(hit, np.arange(4000)) == 1
    assert design_effect(np.repeat(hit, 3), np.repeat(np.arange(4000), 3)) == pytest.approx(3, rel=0.02)
    assert design_effect(hit, np.arange(4000) // 2) == pytest.approx(1, abs=0.06)
    assert design_effect(hit[:10], np.zeros(10)) == 10


def test_an_empty_denominator_is_not_defined() -> None:
    hit, patients, inside = _each_its_own(3, 5)
    assert np.isnan(share_interval(hit, patients, ~inside).low)
    assert np.isnan(exact_interval(0, 0).low) and np.isnan(wilson_interval(0.5, 0).high)


def test_a_bounded_interval_stays_inside_and_widens_with_fewer_patients() -> None:
    replicates = np.random.default_rng(0).normal(0.9, 0.03, 1000)
    many, few = (bounded_interval(0.9, replicates, patients=n) for n in (1000, 5))
    assert 0 < few.low < many.low < 0.9 < many.high < few.high < 1
    assert many.high - many.low == pytest.approx(2 * 1.96 * 0.03, rel=0.1)
    assert bounded_interval(0.9, replicates, patients=1)[:2] == (0, 1)
    assert np.isnan(bounded_interval(float("nan"), replicates, patients=9).low)


def test_a_perfect_score_is_not_sure_of_itself() -> None:
    ones = np.ones(1000)
    assert bounded_interval(1.0, ones, patients=20, floor=0.8)[:2] == (0.8, 1.0)
    # A score that is nearly perfect is not surer than one that is.
    assert bounded_interval(0.999, ones - 1e-4 * (np.arange(1000) % 2), patients=20, floor=0.8).low == 0.8
    assert bounded_interval(-1.0, -ones, patients=20, lowest=-1.0, ceiling=-0.5)[:2] == (-1.0, -0.5)


def test_the_floor_of_a_perfect_ranking_rises_with_patients_and_depends_on_the_rarer_side() -> None:
    floors = [perfect_ranking_floor(n, n) for n in (2, 10, 50, 500)]
    assert floors == sorted(floors) and floors[0] > 0 and floors[-1] > 0.99
    assert perfect_ranking_floor(10, 1000) == pytest.approx(perfect_ranking_floor(1000, 10))
    assert perfect_ranking_floor(10, 1000) < perfect_ranking_floor(100, 100)
    assert perfect_ranking_floor(0, 10) == 0
    # It solves (1 - A)^2 = z^2 Var(A), here with Hanley and McNeil's Q1 and Q2 written out.
    a, n = floors[2], 50
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    variance = (a * (1 - a) + (n - 1) * (q1 - a * a + q2 - a * a)) / (n * n)
    assert (1 - a) ** 2 == pytest.approx(stats.norm.ppf(0.95) ** 2 * variance)


def test_losses_and_calibration_errors_stay_positive_and_hold_the_value() -> None:
    replicates = np.abs(np.random.default_rng(1).normal(0.3, 0.1, 1000))
    for interval in (
        positive_interval(0.3, replicates, patients=100),
        reflected_interval(0.3, replicates, patients=100),
        reflected_interval(0.02, replicates, patients=100),
    ):
        assert 0 <= interval.low < interval.high
    assert reflected_interval(0.02, replicates, patients=100).low == 0
    assert reflected_interval(0.9, replicates, patients=100).high == 0.9
    assert np.isnan(positive_interval(0.3, replicates, patients=1).low)


def test_percentiles_leave_out_what_is_not_defined() -> None:
    replicates = np.concatenate([np.linspace(0, 1, 1001), np.full(500, np.nan)])
    assert percentile_interval(replicates)[:2] == pytest.approx((0.025, 0.975))
    assert np.isnan(percentile_interval(np.full(5, np.nan)).low)
