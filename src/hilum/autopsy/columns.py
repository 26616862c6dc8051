"""Three classes with their counts and recalls printed: which calls are left, and can precision and F1 come of them?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from hilum.autopsy.identities import recalls_of
from hilum.autopsy.matrix_figures import AVERAGINGS
from hilum.autopsy.values import Case, Figure, Finding
from hilum.autopsy.wording import count, join
from hilum.evaluation import metrics

MOST_DIAGONALS = 200
MOST_CALLS = 500_000


def find_by_calls(case: Case) -> Iterator[Finding]:
    """`no-matrix` (impossible), `averaging` (note): precision and F1 beside the recalls of all classes."""
    recalls, counts = recalls_of(case), case.sample.counts
    figures = [each for each in case.figures if each.metric in ("ppv", "f1")]
    if case.matrix is not None or len(counts) != 3 or not recalls or not figures or case.row.averaged:
        return
    left = _all_calls(case, recalls, counts)
    if left is None:
        return
    fits = {over: _fitting(figures, over, left, case) for over in (*case.classes, *AVERAGINGS[:2])}
    possible = [over for over, fit in fits.items() if fit]
    names, listing = join([each.said for each in figures]), join([each.said for each in recalls])
    if not possible:
        sentence = (
            f"{names} cannot stand beside {listing}: of {count(len(left[0]), 'way')} to call the wrong "
            "images none gives it, "
            "for a class or as an average."
        )
        yield Finding("no-matrix", "impossible", "No matrix gives these figures", sentence, case.title)
    elif not all(each.over for each in figures) and len(possible) < 5:
        said = join([over if over in AVERAGINGS else f"that of {over}" for over in possible], "or")
        sentence = f"The report does not say how {names} is averaged; beside {listing} it can only be {said}."
        yield Finding("averaging", "note", "Averaging not named", sentence, case.title)


def _all_calls(case: Case, recalls: Sequence[Figure], counts: Sequence[int]) -> tuple[np.ndarray, np.ndarray] | None:
    """Diagonals `[M, 3]` and calls of each class `[M, 3]` that some matrix has; None where there are too many.

    With e wrong images of each class and f wrong calls for each, T in all, a matrix exists when e + f <= T for each.
    """
    wholes = [each.printed.whole(n) for each, n in zip(recalls, counts, strict=True)]
    right = next((each.printed.whole(sum(counts)) for each in case.find("accuracy")), range(sum(counts) + 1))
    diagonals = [each for each in product(*wholes) if sum(each) in right]
    if not diagonals or len(diagonals) > MOST_DIAGONALS:
        return None
    hits, calls = [], []
    for diagonal in diagonals:
        wrong = np.asarray(counts) - diagonal
        total = int(wrong.sum())
        if (total + 1) ** 2 * len(diagonals) > MOST_CALLS:
            return None
        first, second = (each.ravel() for each in np.indices((total + 1, total + 1)))
        false = np.stack([first, second, total - first - second], axis=-1)
        false = false[((false >= 0) & (false + wrong <= total)).all(axis=-1)]
        calls.append(false + diagonal)
        hits.append(np.broadcast_to(diagonal, false.shape))
    return np.concatenate(hits), np.concatenate(calls)


def _fitting(figures: Sequence[Figure], over: str, left: tuple[np.ndarray, np.ndarray], case: Case) -> bool:
    fit = np.ones(len(left[0]), dtype=bool)
    for figure in figures:
        low, high = figure.printed.bounds()
        ways = _figure(figure.metric, figure.over or over, left, case)
        fit &= np.logical_or.reduce([(values >= low) & (values <= high) for values in ways])
    return bool(fit.any())


def _figure(metric: str, over: str, left: tuple[np.ndarray, np.ndarray], case: Case) -> list[np.ndarray]:
    hits, calls = left
    counts = np.asarray(case.sample.counts)
    each = np.nan_to_num(metrics.divide(hits, calls) if metric == "ppv" else metrics.divide(2 * hits, calls + counts))
    if over in case.classes:
        return [each[:, case.classes.index(over)]]
    if over == "weighted":
        return [(each * counts).sum(axis=1) / counts.sum()]
    if over == "micro":
        return [hits.sum(axis=1) / counts.sum()]
    means = [each.mean(axis=1)]
    if metric == "f1":
        precision, recall = np.nan_to_num(metrics.divide(hits, calls)).mean(axis=1), (hits / counts).mean(axis=1)
        means.append(metrics.divide(2 * precision * recall, precision + recall))
    return means
