"""Folds and shuffles: whole patients, balanced classes, and shuffles that are dealt as the truth was."""

import numpy as np
import pytest

from hilum.audit.folds import Design, can_hold_out, grouped_folds, shuffled_labels
from hilum.evaluation.bootstrap import Patients


@pytest.fixture
def clustered():
    generator = np.random.default_rng(0)
    sizes = 1 + generator.poisson(1.5, 120)
    groups = np.repeat(np.arange(120), sizes)
    labels = (generator.random(120) < 0.3).astype(int)[groups]
    return labels, groups


def test_a_patient_is_held_out_whole_and_each_fold_has_its_share_of_each_class(clustered):
    labels, groups = clustered
    fold = grouped_folds(labels, groups, 5, seed=1)
    assert all(len(set(fold[groups == each])) == 1 for each in range(120))
    for label in (0, 1):
        counts = np.bincount(fold[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert not np.array_equal(fold, grouped_folds(labels, groups, 5, seed=2))


def test_a_shuffle_gives_each_patient_the_labels_of_one_other_in_the_same_fold(clustered):
    labels, groups = clustered
    fold = grouped_folds(labels, groups, 5, seed=1)
    first = np.array([np.flatnonzero(groups == each)[0] for each in range(120)])
    for shuffled in shuffled_labels(labels, groups, fold, 20, seed=1):
        assert all(len(set(shuffled[groups == each])) == 1 for each in range(120))
        for each in range(5):
            inside = first[fold[first] == each]
            assert sorted(shuffled[inside]) == sorted(labels[inside])
        assert not np.array_equal(shuffled, labels)


def test_a_patient_with_two_labels_lends_both():
    groups, labels = np.repeat(np.arange(40), 2), np.tile([0, 1], 40)
    shuffled = shuffled_labels(labels, groups, np.zeros(80, int), 30, seed=0)
    assert (shuffled.reshape(30, 40, 2).sum(axis=2) == 1).all()
    assert 0.3 < shuffled[:, 0].mean() < 0.7


def test_labels_stay_inside_their_stratum(clustered):
    labels, groups = clustered
    strata = (groups % 3 == 0).astype(int)
    design = Design.of(labels, Patients.of(groups), strata=strata, permutations=10, seed=0)
    patients = np.unique(groups, return_index=True)[1]
    for stratum in (0, 1):
        inside = patients[strata[patients] == stratum]
        assert (design.shuffled[:, inside].sum(axis=1) == labels[inside].sum()).all()
    part = design.of_rows(strata == 1)
    assert len(part) == (strata == 1).sum() and np.array_equal(part.labels, labels[strata == 1])


def test_what_cannot_be_held_out_is_known_beforehand():
    patients = Patients.of(["a", "a", "b", "c"])
    assert not can_hold_out(np.array([0, 0, 1, 1]), patients)
    assert not can_hold_out(np.zeros(4, int), patients)
    assert can_hold_out(np.array([0, 1, 0, 1]), patients)
