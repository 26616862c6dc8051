"""Two classes without counts: could precision and F1 be averages over both, beside the sensitivity of one?

Tables do print the weighted precision and F1 of scikit-learn beside sensitivity and specificity. At each share p of ill
images both classes have a precision and an F1, all of which rise with sensitivity and specificity; so their ends follow
from those of the two, and neighbouring shares give the ends between them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Span = tuple[float, float]
STEPS = 20_000
"""Shares of ill images that are tried."""


def fits_averaged(figures: Sequence[tuple[str, Span]], sensitivity: Span, specificity: Span) -> bool:
    """Whether some share of ill images gives all figures, with precision and F1 as macro or as weighted averages.

    Args:
        figures: `accuracy`, `npv`, `ppv` or `f1`, each with the ends of what is printed.
    """
    if not any(metric in ("ppv", "f1") for metric, _ in figures):
        return False
    share = np.linspace(0, 1, STEPS + 1)[1:-1]
    return any(_fits(figures, sensitivity, specificity, share, weighted) for weighted in (False, True))


def _fits(figures: Sequence[tuple[str, Span]], s: Span, c: Span, share: np.ndarray, weighted: bool) -> bool:
    possible = np.ones(len(share) - 1, bool)
    for metric, (low, high) in figures:
        ends = [_value(metric, share, s[i], c[i], weighted) for i in (0, 1)]
        least = np.minimum(ends[0][:-1], ends[0][1:])
        most = np.maximum(ends[1][:-1], ends[1][1:])
        possible &= (least <= high) & (most >= low)
    return bool(possible.any())


def _value(metric: str, p: np.ndarray, s: float, c: float, weighted: bool) -> np.ndarray:
    q = 1 - p
    if metric == "accuracy":
        return s * p + c * q
    ill, well = (p, q) if weighted else (0.5, 0.5)
    if metric == "f1":
        return ill * 2 * s * p / (s * p + (1 - c) * q + p) + well * 2 * c * q / (c * q + (1 - s) * p + q)
    npv = _share(c * q, (1 - s) * p)
    return npv if metric == "npv" else ill * _share(s * p, (1 - c) * q) + well * npv


def _share(right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    return np.divide(right, right + wrong, out=np.ones_like(right), where=right + wrong > 0)
