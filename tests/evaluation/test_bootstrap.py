from __future__ import annotations

import numpy as np
import pytest

from hilum.evaluation.bootstrap import Patients, bootstrap, resampled


def test_a_blank_id_is_a_patient_of_its_own() -> None:
    patients = Patients.of(["b", "", "a", None, "b", float("nan"), " "])
    assert patients.count == 6
    assert patients.index[0] == patients.index[4]
    assert len(set(patients.index.tolist())) == 6


def test_patients_are_numbered_by_id_not_by_row() -> None:
    assert Patients.of(["b", "a", "b"]).index.tolist() == [1, 0, 1]


def test_effective_patients_count_whole_patients() -> None:
    everyone = np.ones(4, bool)
    assert Patients.of(["a", "a", "b", "b"]).effective(everyone) == pytest.approx(2)
    assert Patients.of(["a", "b", "c", "d"]).effective(everyone) == pytest.approx(4)
    assert Patients.of(["a", "a", "a", "b"]).effective(everyone) == pytest.approx(16 / 10)
    assert Patients.of(["a", "b"]).effective(np.zeros(2, bool)) == 0


def test_replicates_hold_whole_patients() -> None:
    patients = Patients.of([f"{i // 3}" for i in range(30)])
    (weights,) = resampled(patients, replicates=50, seed=1)
    assert weights.shape == (50, 30)
    np.testing.assert_array_equal(weights.reshape(50, 10, 3).std(axis=2), 0)
    np.testing.assert_array_equal(weights.reshape(50, 10, 3)[:, :, 0].sum(axis=1), 10)
    assert weights.std() > 0.5


def test_replicates_do_not_depend_on_the_block() -> None:
    patients = Patients.of([f"{i % 7}" for i in range(20)])
    whole = np.concatenate(list(resampled(patients, replicates=33, seed=4)))
    parts = list(resampled(patients, replicates=33, seed=4, block=100))
    assert len(parts) > 2
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert not np.array_equal(next(resampled(patients, replicates=33, seed=5)), whole)


def test_the_spread_of_a_mean_is_that_of_the_patients_not_of_the_images() -> None:
    generator = np.random.default_rng(0)
    each = generator.normal(size=200)
    patients = Patients.of([f"{i:03d}" for i in np.repeat(np.arange(200), 5)])
    values = np.repeat(each, 5)
    drawn = bootstrap(lambda w: {"mean": w @ values / w.sum(axis=1)}, patients, replicates=2000, seed=0)["mean"]
    assert drawn.std() == pytest.approx(each.std() / np.sqrt(200), rel=0.08)
