"""A matrix and the figures printed beside it: can both be true?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from hilum.autopsy.matrix_figures import COMPUTABLE, figures_of, overs_of
from hilum.autopsy.printed import SINGLE, Rule
from hilum.autopsy.search import split_families
from hilum.autopsy.values import Case, Figure, Finding
from hilum.autopsy.wording import join, of

MOST_ORDERS = 5
"""Up to how many classes every order of them is tried."""

Way = tuple[str, str]
"""What the rows are, `true` or `predicted`, and the averaging."""


def find_against_matrix(case: Case, rows_are: tuple[str, ...]) -> Iterator[Finding]:
    """`matrix-figure`, `transposed` (impossible), `mixed-averaging` (suspicious), `averaging` (note).

    Args:
        rows_are: which readings of the rows the margins leave.
    """
    if case.matrix is None or case.row.averaged:
        return
    figures = [each for each in case.figures if each.metric in COMPUTABLE]
    ways = {figure: _ways(case, figure, rows_are) for figure in figures}
    for figure in figures:
        if not ways[figure]:
            yield _misfit(case, figure, rows_are)
    fitting = {figure: each for figure, each in ways.items() if each}
    yield from _common_rows(case, fitting)
    yield from _averaging(case, fitting)


def _ways(case: Case, figure: Figure, rows_are: tuple[str, ...]) -> set[Way]:
    found = set()
    for rows in rows_are:
        matrix = turned(case, rows)
        for over in overs_of(figure.metric, figure.over, case.classes):
            values = figures_of(figure.metric, over, matrix, case.classes)
            if any(figure.printed.holds(float(value)) for value in values):
                found.add((rows, over))
    return found


def turned(case: Case, rows: str) -> np.ndarray:
    """The matrix with true classes as rows. `rows`: what its rows are."""
    matrix = np.asarray(case.matrix, dtype=np.int64)
    return matrix.T if rows == "predicted" else matrix


def _misfit(case: Case, figure: Figure, rows_are: tuple[str, ...]) -> Finding:
    matrix = turned(case, rows_are[0])
    n, hits = int(matrix.sum()), int(np.trace(matrix))
    if figure.metric in ("accuracy", "error"):
        arithmetic = f"its diagonal holds {of(hits if figure.metric == 'accuracy' else n - hits, n)}"
        away = abs(100 * (float(figures_of(figure.metric, "", matrix, case.classes)[0]) - figure.printed.value))
        needs = figure.printed if figure.metric == "accuracy" else figure.printed.mirrored()
        also = _orders(case, matrix, needs.whole(n))
        sentence = f"{figure.said} is not what the matrix says: {arithmetic}, {away:.1f} points away. {also}"
        return Finding("matrix-figure", "impossible", "Matrix and figure disagree", sentence.strip(), case.title)
    listed = [
        f"{_named(over, rows, rows_are)} {figure.printed.show(float(value))}"
        for rows in rows_are
        for over in overs_of(figure.metric, figure.over, case.classes)
        for value in figures_of(figure.metric, over, turned(case, rows), case.classes)[:1]
    ]
    gives = join(list(dict.fromkeys(each.strip() for each in listed)))
    sentence = f"{figure.said} is not what the matrix says under any reading: it gives {gives}."
    return Finding("matrix-figure", "impossible", "Matrix and figure disagree", sentence, case.title)


def _named(over: str, rows: str, rows_are: tuple[str, ...]) -> str:
    turn = f" (rows {rows})" if len(rows_are) > 1 and over not in ("", "micro") else ""
    return f"{over or ''}{turn}"


def _orders(case: Case, matrix: np.ndarray, wanted: range) -> str:
    """Whether another order of the classes would give the printed accuracy."""
    classes = len(matrix)
    if classes > MOST_ORDERS:
        return ""
    sums = {order: int(matrix[range(classes), order].sum()) for order in permutations(range(classes))}
    for order, hits in sums.items():
        if hits in wanted:
            moved = [
                f"{case.classes[column]} read as {case.classes[row]}"
                for row, column in enumerate(order)
                if row != column
            ]
            return (
                f"It fits with the columns in another order ({join(moved)}): then "
                f"{of(hits, int(matrix.sum()))} are right."
            )
    best = max(sums.values())
    return f"No order of the classes gives it either: the best has {of(best, int(matrix.sum()))} right."


def _common_rows(case: Case, ways: dict[Figure, set[Way]]) -> Iterator[Finding]:
    """Each figure fits, but some with true rows and others with predicted rows only."""
    sides = {figure: {rows for rows, _ in each} for figure, each in ways.items()}
    if not sides or set.intersection(*sides.values()):
        return
    parts = [
        f"{join([each.said for each in sides if sides[each] == {rows}])} only with rows that are {rows}"
        for rows in ("true", "predicted")
    ]
    sentence = f"The matrix gives {join(parts)}: no one reading of its rows gives all of them."
    yield Finding("transposed", "impossible", "Two readings of one matrix", sentence, case.title)


def _averaging(case: Case, ways: dict[Figure, set[Way]]) -> Iterator[Finding]:
    """Figures without a stated averaging: which one it is, or that no one averaging gives all."""
    named_nowhere = [each for each in ways if not each.over and overs_of(each.metric, "", case.classes) != ("",)]
    for unstated in split_families(named_nowhere):
        yield from _averaging_of(case, unstated, ways)


def _averaging_of(case: Case, unstated: list[Figure], ways: dict[Figure, set[Way]]) -> Iterator[Finding]:
    common = set.intersection(*(ways[each] for each in unstated))
    names = join([each.said for each in unstated])
    if common:
        overs = list(dict.fromkeys(over for _, over in sorted(common)))
        if len(overs) < len(case.classes) + 3:
            said = join([_over_in_words(over, case.classes) for over in overs], "or")
            verb, them = ("is", "it") if len(unstated) == 1 else ("are", "them")
            sentence = f"The report does not say what {names} {verb} taken over; the matrix gives {them} {said}."
            yield Finding("averaging", "note", "Averaging not named", sentence, case.title)
        return
    parts = [f"{each.said} {_over_in_words(sorted(ways[each])[0][1], case.classes)}" for each in unstated]
    sentence = f"The matrix gives {join(parts)}: no one averaging gives all of them."
    yield Finding("mixed-averaging", "suspicious", "Several averagings in one row", sentence, case.title)


def _over_in_words(over: str, classes: tuple[str, ...]) -> str:
    return f"for {over}" if over in classes else f"as {over} average"


def find_mixed_rule(case: Case, rows_are: tuple[str, ...]) -> set[Rule]:
    """Under which single rule of rounding all figures that fit the matrix do so; all rules where there is no matrix."""
    rules: set[Rule] = set(SINGLE)
    if case.matrix is None or case.row.averaged:
        return rules
    for figure in case.figures:
        if figure.metric not in COMPUTABLE:
            continue
        values = [
            float(value)
            for rows, over in _ways(case, figure, rows_are)
            for value in figures_of(figure.metric, over, turned(case, rows), case.classes)
        ]
        if values:
            rules &= {rule for rule in SINGLE if any(figure.printed.holds(value, rule) for value in values)}
    return rules
