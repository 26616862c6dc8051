"""Probabilities that can be taken at their word: one temperature, or one and an offset a class, fitted on other images.

Temperature scaling (Guo et al., ICML 2017) divides all logits by one number. It changes no call of the most probable
class and no binary ranking. A weak prior (the logarithm of the temperature has a standard deviation of 1, as if one
more image had been seen) keeps it finite where validation is called without a single mistake.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from hilum.errors import DataError

COLDEST, HOTTEST = 0.02, 50.0
OFFSET_PRIOR = 1.0 / 9
"""Weight of a squared offset: its standard deviation is 3 logits."""


@dataclass(frozen=True)
class Recalibration:
    """Logits -> `logits / temperature + offsets`.

    Args:
        temperature: above 1 where the model was too sure of itself.
        offsets: one a class, of mean 0; all 0 where only a temperature was fitted.
        images: how many it was fitted on.
        before, after: mean log loss on those images, in nats.
    """

    temperature: float
    offsets: tuple[float, ...]
    images: int
    before: float
    after: float

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """`[N, K]` -> `[N, K]`."""
        return np.asarray(logits, dtype=np.float64) / self.temperature + np.array(self.offsets)


def fit_temperature(logits: np.ndarray, target: np.ndarray) -> Recalibration:
    """The temperature with the lowest log loss.

    Args:
        logits: float `[N, K]`, of images that the model was not trained on.
        target: int `[N]`.

    Raises:
        DataError: no image.
    """
    logits, target = _checked(logits, target)

    def loss(log_temperature: float) -> float:
        return len(target) * _log_loss(logits / np.exp(log_temperature), target) + log_temperature**2 / 2

    bounds = (float(np.log(COLDEST)), float(np.log(HOTTEST)))
    # The loss is smooth with one minimum in 1/T; the prior may add a second far out, so the better of two searches.
    starts = (bounds, (-1.0, 1.0))
    found = min((optimize.minimize_scalar(loss, bounds=each, method="bounded") for each in starts), key=lambda f: f.fun)
    temperature = float(np.exp(found.x))
    before, after = _log_loss(logits, target), _log_loss(logits / temperature, target)
    return Recalibration(temperature, (0.0,) * logits.shape[1], len(target), before, after)


def fit_temperature_and_offsets(logits: np.ndarray, target: np.ndarray) -> Recalibration:
    """A temperature and an offset a class: also mends class proportions that are not those of training.

    Args and raises: as `fit_temperature`.
    """
    logits, target = _checked(logits, target)
    classes = logits.shape[1]

    def loss(values: np.ndarray) -> float:
        offsets = values[1:] - values[1:].mean()
        scaled = logits / np.exp(values[0]) + offsets
        prior = values[0] ** 2 / 2 + OFFSET_PRIOR * (values[1:] ** 2).sum() / 2
        return len(target) * _log_loss(scaled, target) + prior

    limits = [(np.log(COLDEST), np.log(HOTTEST)), *[(-20.0, 20.0)] * classes]
    found = optimize.minimize(loss, np.zeros(1 + classes), method="L-BFGS-B", bounds=limits).x
    offsets = found[1:] - found[1:].mean()
    temperature = float(np.exp(found[0]))
    before, after = _log_loss(logits, target), _log_loss(logits / temperature + offsets, target)
    return Recalibration(temperature, tuple(float(each) for each in offsets), len(target), before, after)


def _checked(logits: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    logits, target = np.asarray(logits, dtype=np.float64), np.asarray(target)
    if not len(target):
        raise DataError("calibration", expected="at least one image", found="none")
    return logits, target


def _log_loss(logits: np.ndarray, target: np.ndarray) -> float:
    return float(-special.log_softmax(logits, axis=1)[np.arange(len(target)), target].mean())
