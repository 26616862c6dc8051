"""Two classes: every matrix of whole numbers that the printed figures leave."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from hilum.autopsy.matrix_figures import COMPUTABLE, figures_of, overs_of
from hilum.autopsy.printed import SINGLE, Rule
from hilum.autopsy.values import Case, Figure, Finding
from hilum.autopsy.wording import join

MOST_MATRICES = 250_000
"""How many matrices are tried at most; where there are more, nothing is claimed."""

FEW = 3


def find_by_search(case: Case, flagged: frozenset[str]) -> tuple[list[Finding], np.ndarray | None]:
    """`no-matrix` (impossible), `mixed-rounding` (suspicious), `reconstructed` (note).

    Args:
        flagged: names of figures that cannot be true by themselves and are left out.

    Returns:
        Findings, and the one matrix (rows true) where exactly one is left.
    """
    figures = [each for each in case.figures if each.metric in COMPUTABLE and each.name not in flagged]
    if case.matrix is not None or case.row.averaged or not case.binary or not figures:
        return [], None
    if any(each.printed.spread for each in figures):
        return [], None
    tried = _all_matrices(case, figures)
    if tried is None:
        return [], None
    classes = case.classes if len(case.classes) == 2 else ("class 1", "class 2")
    fit = {rule: _fitting(figures, tried, classes, case.report.positive, rule) for rule in ("any", *SINGLE)}
    if not fit["any"].any():
        return [_none_fits(case, figures, tried, classes)], None
    left = next((fit[rule] for rule in SINGLE if fit[rule].any()), None)
    if left is None:
        return [_mixed(case, figures, len(tried))], None
    matrices = tried[left]
    if len(figures) < 2:
        return [], None
    found = [_left(case, figures, matrices)] if len(matrices) <= FEW else []
    return found, (matrices[0] if len(matrices) == 1 else None)


def _all_matrices(case: Case, figures: Sequence[Figure]) -> np.ndarray | None:
    """int `[M, 2, 2]`, rows true; None where there are too many or nothing is known of their number."""
    counts, n = case.sample.counts, case.sample.n
    right = _right(figures, n) if n else None
    if not n or len(counts) not in (0, 2):
        return None
    if counts:
        a, b = counts
        hits = np.arange(a + 1)
        if right is None or (a + 1) * (b + 1) <= MOST_MATRICES:
            if (a + 1) * (b + 1) > MOST_MATRICES:
                return None
            first, second = (each.ravel() for each in np.meshgrid(hits, np.arange(b + 1), indexing="ij"))
            return _stack(first, a - first, b - second, second)
        first, total = (each.ravel() for each in np.meshgrid(hits, np.asarray(right), indexing="ij"))
        keep = (total - first >= 0) & (total - first <= b)
        first, second = first[keep], (total - first)[keep]
        return _stack(first, a - first, b - second, second) if len(first) <= MOST_MATRICES else None
    if right is None or len(right) * (n + 1) ** 2 / 2 > MOST_MATRICES:
        return None
    parts = []
    for total in right:
        first, wrong = (
            each.ravel() for each in np.meshgrid(np.arange(total + 1), np.arange(n - total + 1), indexing="ij")
        )
        parts.append(_stack(first, wrong, n - total - wrong, total - first))
    return np.concatenate(parts) if parts else np.zeros((0, 2, 2), dtype=np.int64)


def _stack(tp: np.ndarray, fn: np.ndarray, fp: np.ndarray, tn: np.ndarray) -> np.ndarray:
    return np.stack([tp, fn, fp, tn], axis=-1).reshape(-1, 2, 2)


def _right(figures: Sequence[Figure], n: int) -> range | None:
    for figure in figures:
        if figure.metric in ("accuracy", "error"):
            return (figure.printed if figure.metric == "accuracy" else figure.printed.mirrored()).whole(n)
    return None


def _fitting(
    figures: Sequence[Figure], matrices: np.ndarray, classes: tuple[str, ...], positive: str, rule: Rule
) -> np.ndarray:
    """bool `[M]`: matrices that give every figure, the unstated ones by one averaging."""
    stated = [each for each in figures if each.over or overs_of(each.metric, "", classes) == ("",)]
    unstated = [each for each in figures if each not in stated]
    fit = np.ones(len(matrices), dtype=bool)
    for figure in stated:
        fit &= _gives(figure, figure.over, matrices, classes, rule)
    if not unstated:
        return fit
    overs = (positive,) if positive in classes else overs_of("ppv", "", classes)
    for family in split_families(unstated):
        together = [
            np.logical_and.reduce([_gives(each, over, matrices, classes, rule) for each in family]) for over in overs
        ]
        fit &= np.logical_or.reduce(together)
    return fit


def split_families(figures: Sequence[Figure]) -> list[list[Figure]]:
    """Figures that are taken over the same class or average: clinical ones (sensitivity, specificity, PPV, NPV), and
    precision, recall and F1. A report may mean the ill in the first and an average in the second.
    """
    learned = [each for each in figures if each.metric == "f1" or re.search("prec|rec", each.name, re.IGNORECASE)]
    return [family for family in (learned, [each for each in figures if each not in learned]) if family]


def _gives(figure: Figure, over: str, matrices: np.ndarray, classes: tuple[str, ...], rule: Rule) -> np.ndarray:
    low, high = figure.printed.bounds(rule)
    ways = figures_of(figure.metric, over, matrices, classes)
    return np.logical_or.reduce([(values >= low) & (values <= high) for values in ways])


def _none_fits(case: Case, figures: Sequence[Figure], tried: np.ndarray, classes: tuple[str, ...]) -> Finding:
    core = _smallest_conflict(figures, tried, classes, case.report.positive)
    images = join([f"{count:,} {label}" for label, count in zip(classes, case.sample.counts, strict=False)])
    of_what = images or f"{case.sample.n:,} images"
    names = join([each.said for each in core])
    together = "cannot be true together" if len(core) > 1 else "cannot be true"
    sentence = f"{names} {together}: none of the {len(tried):,} matrices of {of_what} that were tried gives "
    sentence += (
        ("them all" if len(core) > 1 else "it") + ", whatever class or average they are of." + _accuracy(case, core)
    )
    return Finding("no-matrix", "impossible", "No matrix gives these figures", sentence, case.title)


def _accuracy(case: Case, core: Sequence[Figure]) -> str:
    """What the printed sensitivity and specificity make the accuracy, where that is the conflict."""
    by = {each.metric: each.printed for each in core}
    counts = case.sample.counts
    if not counts or not {"sensitivity", "specificity", "accuracy"} <= by.keys():
        return ""
    sums = [
        f"({by['sensitivity'].text} x {a:,} + {by['specificity'].text} x {b:,}) / {a + b:,} = "
        f"{by['accuracy'].show((by['sensitivity'].value * a + by['specificity'].value * b) / (a + b))}"
        for a, b in (counts, counts[::-1])
    ]
    first = 1 if case.report.positive and case.report.positive == case.classes[1] else 0
    shown = [sums[first]] if case.report.positive else sums
    return f" Accuracy from sensitivity and specificity: {join(shown, 'or')}, not {by['accuracy'].text}."


def _smallest_conflict(
    figures: Sequence[Figure], tried: np.ndarray, classes: tuple[str, ...], positive: str
) -> tuple[Figure, ...]:
    pruned = [each for each in figures if each.metric in ("accuracy", "error")][:1]
    for size in range(1, len(figures)):
        for subset in combinations(figures, size):
            if not _fitting(subset, tried, classes, positive, "any").any():
                return tuple(each for each in figures if each in subset or (each in pruned and not tries_all(tried)))
    return tuple(figures)


def tries_all(tried: np.ndarray) -> bool:
    """Whether accuracies of all sizes are among the matrices, so that none was used to choose them."""
    hits = np.trace(tried, axis1=-2, axis2=-1)
    return bool(len(hits)) and int(hits.min()) == 0 and int(hits.max()) == int(tried[0].sum())


def _mixed(case: Case, figures: Sequence[Figure], tried: int) -> Finding:
    names = join([each.said for each in figures])
    sentence = (
        f"{names} fit no matrix when all are rounded, nor when all are cut off ({tried:,} tried); only "
        "with each rounded by "
        "a rule of its own."
    )
    return Finding("mixed-rounding", "suspicious", "No one way of rounding fits", sentence, case.title)


def _left(case: Case, figures: Sequence[Figure], matrices: np.ndarray) -> Finding:
    names = join([each.said for each in figures])
    shown = join([str(each.tolist()) for each in matrices], "or")
    only = "only one matrix" if len(matrices) == 1 else f"only {len(matrices)} matrices"
    order = f" (rows true, in the order {', '.join(case.classes)})" if case.classes else " (rows true)"
    sentence = f"{names} leave {only}: {shown}{order}."
    return Finding("reconstructed", "note", "The matrix behind the figures", sentence, case.title)
