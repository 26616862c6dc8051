"""Verdicts: what makes a model's figures worthless, said in plain words from its confusion matrix.

The rules, and when they stay silent:

- `one-class` (error): every image got the same call. Only a warning where fewer than 7 (effective) images would have
  needed another call: a fair model that catches half of those still misses all of 6 once in 64 times.
- `nearly-one-class` (warning): 99 % of at least 100 images got the same call, and at most a tenth as many got another
  one as needed it.
- `independent` (error): the calls are no more related to the labels than shuffled ones would be. Fires when a
  chi-square test of the matrix finds nothing (p > 0.01), and would have found an association as weak as Cramer's
  V = 0.3 (about 65 % balanced accuracy in two balanced classes) in 95 of 100 cases, and the probabilities do not rank
  the classes either (the interval of AUROC is not wholly above 0.5). So a weak but real model passes: with 624 images a
  V of 0.15 has p = 0.0002, and with too few images to tell nothing is said at all; the intervals say that.
- `label-order` (error): the calls are related to the labels (p <= 0.01), but another assignment of names to columns
  fits so much better (kappa more than 0.2 higher) that labels and columns are out of step.
- `never-called` (warning): with three or more classes, one that at least 7 images have is never called.
- `one-true-class` (warning): all images are of one class, so nothing can be told.

The images of a patient go together, so the test counts effective patients, not images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from hilum.evaluation import metrics
from hilum.evaluation.values import Estimate, Verdict

ENOUGH_TO_MISS = 7
NEARLY_ALL = 0.99
SIGNIFICANCE = 0.01
POWER = 0.95
WEAK_ASSOCIATION = 0.3
BETTER_ORDER = 0.2
SMALL_COUNT = 5
SHUFFLES = 2000

_SPLIT_IN_WORDS = {"train": "training", "val": "validation"}


def find_verdicts(
    confusion: np.ndarray,
    labels: Sequence[str],
    *,
    split: str = "test",
    effective_images: float | None = None,
    auroc: Estimate | None = None,
) -> tuple[Verdict, ...]:
    """What is wrong with a confusion matrix; empty when all is well.

    Args:
        confusion: int `[K, K]`, rows true class, columns decision.
        split: its name, for the sentences.
        effective_images: number of independent images that the matrix is worth (Kish's effective number of patients);
            all of them by default.
        auroc: overall AUROC with its interval, where probabilities are known.
    """
    confusion = np.asarray(confusion, dtype=np.int64)
    called, true = confusion.sum(axis=0), confusion.sum(axis=1)
    worth = float(confusion.sum()) if effective_images is None else effective_images
    pictures = f"{_SPLIT_IN_WORDS.get(split, split)} images"
    if np.count_nonzero(true) < 2:
        return (_one_true_class(true, labels, pictures),)
    if np.count_nonzero(called) < 2:
        return (_one_class(confusion, labels, pictures, worth, auroc),)
    found = [
        _nearly_one_class(confusion, labels, pictures),
        _unrelated(confusion, pictures, worth, auroc) or _label_order(confusion, labels, pictures, worth),
        *_never_called(confusion, labels, pictures),
    ]
    return tuple(verdict for verdict in found if verdict)


def independence_test(confusion: np.ndarray, effective_images: float | None = None) -> tuple[float, float]:
    """Chi-square test of independence of rows and columns.

    The p-value is the chi-square distribution's; where an expected count is below 5, that of 2000 random tables with
    the same margins. Clustered images: the statistic is scaled to `effective_images` (Rao and Scott's correction with
    the largest design effect), which errs on the side of finding nothing.

    Args:
        confusion: int `[K, L]`.

    Returns:
        (statistic, p); (0, 1) with one row or one column.
    """
    table = confusion[confusion.sum(axis=1) > 0][:, confusion.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return 0.0, 1.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    scale = 1.0 if effective_images is None else effective_images / table.sum()
    statistic = _chi_square(table, expected) * scale
    if expected.min() * scale >= SMALL_COUNT:
        return statistic, float(special.chdtrc((table.shape[0] - 1) * (table.shape[1] - 1), statistic))
    from scipy.stats import random_table  # slow to import, seldom needed

    margins = random_table(table.sum(axis=1), table.sum(axis=0), seed=0)
    shuffled = np.array([_chi_square(each, expected) for each in margins.rvs(SHUFFLES)])
    return statistic, float((1 + (shuffled >= statistic - 1e-9).sum()) / (1 + SHUFFLES))


def can_tell(confusion: np.ndarray, effective_images: float) -> bool:
    """Whether the test above would find an association of Cramer's V = 0.3 in 95 of 100 cases."""
    rows, columns = np.count_nonzero(confusion.sum(axis=1)), np.count_nonzero(confusion.sum(axis=0))
    freedom = (rows - 1) * (columns - 1)
    noncentrality = effective_images * WEAK_ASSOCIATION**2 * (min(rows, columns) - 1)
    return bool(special.chndtr(special.chdtri(freedom, SIGNIFICANCE), freedom, noncentrality) <= 1 - POWER)


def _one_true_class(true: np.ndarray, labels: Sequence[str], pictures: str) -> Verdict:
    sentence = (
        f"All {true.sum()} {pictures} are {labels[int(true.argmax())]}: how well classes are told apart cannot be seen."
    )
    return Verdict("one-true-class", "warning", sentence)


def _one_class(
    confusion: np.ndarray, labels: Sequence[str], pictures: str, worth: float, auroc: Estimate | None
) -> Verdict:
    only = int(confusion.sum(axis=0).argmax())
    n, hits = int(confusion.sum()), int(confusion[only, only])
    others = n - int(confusion[only].sum())
    sentence = (
        f"All {n} {pictures} were called {labels[only]}; {_percent(hits, n)} is just the share of {labels[only]}."
        if hits
        else f"All {n} {pictures} were called {labels[only]}, and not one of them is."
    )
    if auroc and auroc.ci_low > 0.5:
        sentence += (
            f" Its probabilities do rank the classes (AUROC {auroc.value:.2f}), so another threshold would help."
        )
    if others * worth / n < ENOUGH_TO_MISS:
        return Verdict("one-class", "warning", f"{sentence} Only {others} needed another call: too few to judge by.")
    return Verdict("one-class", "error", sentence)


def _nearly_one_class(confusion: np.ndarray, labels: Sequence[str], pictures: str) -> Verdict | None:
    called, n = confusion.sum(axis=0), int(confusion.sum())
    most = int(called.argmax())
    otherwise, needed = n - int(called[most]), n - int(confusion[most].sum())
    if n < 100 or called[most] < NEARLY_ALL * n or otherwise > needed / 10:
        return None
    sentence = (
        f"{called[most]} of {n} {pictures} were called {labels[most]}: {otherwise} got another call, "
        f"{needed} needed one."
    )
    return Verdict("nearly-one-class", "warning", sentence)


def _unrelated(confusion: np.ndarray, pictures: str, worth: float, auroc: Estimate | None) -> Verdict | None:
    statistic, p = independence_test(confusion, worth)
    if p <= SIGNIFICANCE or not can_tell(confusion, worth) or (auroc and auroc.ci_low > 0.5):
        return None
    n, hits = int(confusion.sum()), int(np.trace(confusion))
    sentence = (
        f"The calls on {n} {pictures} are no more related to the labels than shuffled ones would be "
        f"(chi-square {statistic:.2f}, p = {p:.2g}, kappa {float(metrics.kappa(confusion)):.2f}): an accuracy of "
        f"{_percent(hits, n)} means nothing. Labels and predictions may be out of step, or the weights untrained."
    )
    return Verdict("independent", "error", sentence)


def _label_order(confusion: np.ndarray, labels: Sequence[str], pictures: str, worth: float) -> Verdict | None:
    from scipy.optimize import linear_sum_assignment

    _, order = linear_sum_assignment(-confusion)
    renamed = confusion[:, order]
    gain = float(metrics.kappa(renamed) - metrics.kappa(confusion))
    if gain <= BETTER_ORDER or independence_test(confusion, worth)[1] > SIGNIFICANCE:
        return None
    n = int(confusion.sum())
    moved = [f"{labels[column]} as {labels[row]}" for row, column in enumerate(order) if row != column]
    sentence = (
        f"Reading the calls on {n} {pictures} in another order ({', '.join(moved)}) would raise the accuracy from "
        f"{_percent(int(np.trace(confusion)), n)} to {_percent(int(np.trace(renamed)), n)}: labels and columns are "
        "probably out of step."
    )
    return Verdict("label-order", "error", sentence)


def _never_called(confusion: np.ndarray, labels: Sequence[str], pictures: str) -> list[Verdict]:
    called, true = confusion.sum(axis=0), confusion.sum(axis=1)
    return [
        Verdict("never-called", "warning", f"None of {confusion.sum()} {pictures} was called {label}; {true[i]} are.")
        for i, label in enumerate(labels)
        if not called[i] and true[i] >= ENOUGH_TO_MISS
    ]


def _chi_square(table: np.ndarray, expected: np.ndarray) -> float:
    return float(((table - expected) ** 2 / expected).sum())


def _percent(k: int, n: int) -> str:
    return f"{100 * k / n:.1f} %"
