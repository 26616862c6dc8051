"""Four ways of balance, against what they say."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from hilum.data.balance import class_weights, epoch_order
from hilum.errors import RecipeError

TARGETS = np.array([0] * 50 + [1] * 20 + [2] * 5)


def counts(order):
    return np.bincount(TARGETS[order]).tolist()


@pytest.mark.parametrize(
    ("balance", "expected"),
    [("as-is", [50, 20, 5]), ("class-weights", [50, 20, 5]), ("undersampled", [5, 5, 5]), ("oversampled", [50] * 3)],
)
def test_what_an_epoch_shows(balance, expected):
    assert counts(epoch_order(TARGETS, balance, seed=0, epoch=0)) == expected


def test_undersampling_keeps_to_the_same_images_and_oversampling_draws_anew():
    under = [set(epoch_order(TARGETS, "undersampled", seed=0, epoch=epoch)) for epoch in (0, 1)]
    assert under[0] == under[1]
    over = [epoch_order(TARGETS, "oversampled", seed=0, epoch=epoch) for epoch in (0, 1)]
    assert sorted(over[0]) != sorted(over[1])
    assert set(over[0]) == set(range(75))


def test_order_depends_on_seed_and_epoch_alone():
    orders = {(s, e): epoch_order(TARGETS, "as-is", seed=s, epoch=e).tolist() for s in (0, 1) for e in (0, 1)}
    assert len({tuple(order) for order in orders.values()}) == 4
    assert orders[1, 1] == epoch_order(TARGETS, "as-is", seed=1, epoch=1).tolist()


def test_class_weights_are_scikit_learns():
    expected = compute_class_weight("balanced", classes=np.arange(3), y=TARGETS)
    np.testing.assert_allclose(class_weights(TARGETS, 3), expected, rtol=1e-6)


def test_an_unknown_balance():
    with pytest.raises(RecipeError, match="oversampled"):
        epoch_order(TARGETS, "upsampled", seed=0, epoch=0)
