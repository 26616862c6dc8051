"""Which AUROC one operating point leaves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hilum.autopsy.against_matrix import turned
from hilum.autopsy.prevalence import operating_point
from hilum.autopsy.values import Case, Finding, Severity
from hilum.evaluation import metrics


def auroc_bounds(sensitivity: float, specificity: float) -> tuple[float, float]:
    """Smallest and largest area under a ROC curve through one point: it only ever rises.

    Beneath the point to its right the curve holds sensitivity x specificity; it misses at least what lies above the
    point to its left, (1 - sensitivity) x (1 - specificity).
    """
    return sensitivity * specificity, 1 - (1 - sensitivity) * (1 - specificity)


def find_impossible_auroc(case: Case, rows_are: tuple[str, ...]) -> Iterator[Finding]:
    """`auroc` (impossible; suspicious where there may be more than two classes)."""
    ends, point = _bounds(case, rows_are)
    if ends is None or case.row.averaged:
        return
    for figure in case.find("auroc"):
        low, high = figure.printed.bounds()
        if low <= ends[1] and high >= ends[0]:
            continue
        side = (
            f"at least {figure.printed.show(ends[0])} (their product)"
            if high < ends[0]
            else f"at most {figure.printed.show(ends[1])} (1 - (1 - sensitivity) x (1 - specificity))"
        )
        severity: Severity = "impossible" if case.binary else "suspicious"
        sentence = f"{figure.said} is no area under a curve through {point}: that is {side}."
        yield Finding("auroc", severity, "AUROC and operating point disagree", sentence, case.title)


def _bounds(case: Case, rows_are: tuple[str, ...]) -> tuple[tuple[float, float] | None, str]:
    if case.matrix is not None and len(case.matrix) == 2:
        shares = [metrics.sensitivity(turned(case, rows)) for rows in rows_are]
        if any(np.isnan(each).any() for each in shares):
            return None, ""
        each_way = [auroc_bounds(*map(float, each)) for each in shares]
        words = f"the matrix's shares of {100 * shares[0][0]:.1f} and {100 * shares[0][1]:.1f} %"
        return (min(low for low, _ in each_way), max(high for _, high in each_way)), words
    found = operating_point(case)
    if found is None or case.matrix is not None:
        return None, ""
    (low, high), (other_low, other_high) = (
        (max(0.0, each.printed.bounds()[0]), min(1.0, each.printed.bounds()[1])) for each in found
    )
    ends = auroc_bounds(low, other_low)[0], auroc_bounds(high, other_high)[1]
    return ends, f"{found[0].said} and {found[1].said}"
