"""A model that says nothing: one class for all, calls without relation to the labels, the accuracy of a constant."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

import numpy as np

from hilum.autopsy.against_matrix import turned
from hilum.autopsy.values import Case, Finding, Severity
from hilum.autopsy.wording import of
from hilum.evaluation import metrics
from hilum.evaluation.guards import find_verdicts
from hilum.evaluation.intervals import normal_quantile, wilson_interval

TITLES = {
    "one-class": "Everything is called one class",
    "nearly-one-class": "Nearly everything is called one class",
    "independent": "Calls without relation to the labels",
    "label-order": "Another order of the classes fits better",
    "never-called": "A class that is never called",
    "one-true-class": "Images of one class only",
}


def find_collapse(case: Case, rows_are: tuple[str, ...], matrix: np.ndarray | None = None) -> Iterator[Finding]:
    """The verdicts of `hilum.evaluation.guards` on a printed matrix: errors are `suspicious`, warnings notes.

    Args:
        matrix: one that was reconstructed, rows true, in place of a printed one.
    """
    if matrix is None and case.matrix is None:
        yield from _constant(case)
        return
    confusion = turned(case, rows_are[0]) if matrix is None else matrix
    labels = case.classes or tuple(f"class {i + 1}" for i in range(len(confusion)))
    if not confusion.sum():
        return
    for verdict in find_verdicts(confusion, labels, split=case.sample_name or "printed"):
        more = _how_sure(confusion) if verdict.code == "independent" else ""
        severity: Severity = "suspicious" if verdict.severity == "error" else "note"
        yield Finding(verdict.code, severity, TITLES[verdict.code], verdict.sentence + more, case.title)


def _how_sure(confusion: np.ndarray) -> str:
    low, high = kappa_interval(confusion)
    exact = f" Fisher's exact test: p = {fisher_exact(confusion):.2g}." if confusion.shape == (2, 2) else ""
    return f" Kappa lies between {low:.2f} and {high:.2f} (95 %), and 0 is what shuffled calls give.{exact}"


def kappa_interval(confusion: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Large-sample interval of Cohen's kappa (Fleiss, Cohen and Everitt 1969). `confusion: [K, K]`."""
    p = confusion / confusion.sum()
    rows, columns, kappa = p.sum(axis=1), p.sum(axis=0), float(metrics.kappa(confusion))
    agreed, chance = float(np.trace(p)), float(rows @ columns)
    diagonal = float((np.diag(p) * (1 - (rows + columns) * (1 - kappa)) ** 2).sum())
    beside = p * (columns[:, None] + rows[None, :]) ** 2
    other = (1 - kappa) ** 2 * float(beside.sum() - np.trace(beside))
    variance = (diagonal + other - (kappa - chance * (1 - kappa)) ** 2) / ((1 - chance) ** 2 * confusion.sum())
    reach = normal_quantile(level) * float(np.sqrt(max(variance, 0.0))) if agreed < 1 else 0.0
    return kappa - reach, kappa + reach


def fisher_exact(confusion: np.ndarray) -> float:
    """Two-sided p of Fisher's exact test of a 2 x 2 table: tables with the same margins that are no more probable."""
    (a, b), (c, d) = (tuple(map(int, row)) for row in confusion)
    row, column, n = a + b, a + c, a + b + c + d
    weights = {
        k: comb(row, k) * comb(n - row, column - k) for k in range(max(0, column + row - n), min(row, column) + 1)
    }
    return sum(weight for weight in weights.values() if weight <= weights[a]) / comb(n, column)


def _constant(case: Case) -> Iterator[Finding]:
    """`majority-share`, `below-majority` (suspicious): an accuracy that one answer for all would have, or better."""
    counts = case.sample.counts
    if not counts or case.row.averaged or len(counts) != len(case.classes):
        return
    n, most = sum(counts), max(counts)
    largest = case.classes[counts.index(most)]
    for figure in case.find("accuracy"):
        whole = figure.printed.whole(n, "rounded")
        if not len(whole):
            continue
        if most in whole and len(whole) == 1:
            sentence = (
                f"{figure.said} is {of(most, n)}: just the share of {largest}, as if everything had been "
                f"called {largest}."
            )
            yield Finding("majority-share", "suspicious", "The accuracy of a constant answer", sentence, case.title)
        elif wilson_interval(whole[-1] / n, n).high < most / n:
            chance = f", and {100 / len(counts):.0f} % is what calls at random, as many of each class, would have"
            sentence = f"{figure.said} is worse than calling everything {largest}, which has {of(most, n)}{chance}."
            yield Finding("below-majority", "suspicious", "Worse than a constant answer", sentence, case.title)
