"""Temperature and offsets: found again where they were planted, and never worse where they were fitted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from hilum.errors import DataError
from hilum.evaluation.calibration import fit_temperature, fit_temperature_and_offsets
from hilum.evaluation.metrics import ece, log_loss


def _calibrated(classes: int, images: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose probabilities are true: the class is drawn from them."""
    generator = np.random.default_rng(seed)
    logits = 2 * generator.normal(size=(images, classes))
    probs = special.softmax(logits, axis=1)
    return logits, (generator.random((images, 1)) > probs.cumsum(axis=1)).sum(axis=1)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("planted", [0.3, 1.0, 4.0])
def test_a_planted_temperature_is_found(classes: int, planted: float) -> None:
    logits, target = _calibrated(classes)
    found = fit_temperature(planted * logits, target)
    assert found.temperature == pytest.approx(planted, rel=0.08)
    probs = special.softmax(found(planted * logits), axis=1)
    assert float(ece(target, probs)) < 0.03 and found.after == pytest.approx(float(log_loss(target, probs)))
    assert found.after <= found.before + 1e-4
    assert (found(planted * logits).argmax(1) == logits.argmax(1)).all()


def test_it_is_the_lowest_of_a_fine_grid() -> None:
    logits, target = _calibrated(3, images=60, seed=3)
    logits = 2.3 * logits
    grid = np.exp(np.linspace(-3, 3, 6001))
    losses = [60 * float(log_loss(target, special.softmax(logits / t, axis=1))) + np.log(t) ** 2 / 2 for t in grid]
    assert fit_temperature(logits, target).temperature == pytest.approx(grid[int(np.argmin(losses))], rel=2e-3)


def test_no_mistake_and_few_images_keep_it_finite() -> None:
    logits = np.array([[4.0, -4], [-4, 4], [5, -5]])
    assert 0.05 < fit_temperature(logits, np.array([0, 1, 0])).temperature < 1.5
    assert fit_temperature(-logits, np.array([0, 1, 0])).temperature > 2
    with pytest.raises(DataError):
        fit_temperature(logits[:0], np.array([], int))


def test_offsets_mend_other_class_proportions() -> None:
    logits, target = _calibrated(2, images=6000)
    moved = 2 * logits + np.array([1.5, -1.5])
    found = fit_temperature_and_offsets(moved, target)
    assert found.temperature == pytest.approx(2, rel=0.1)
    assert np.array(found.offsets) == pytest.approx([-0.75, 0.75], abs=0.1)
    assert found.after < fit_temperature(moved, target).after - 0.05
