"""A matrix and the images that the report counts: how many, of which class, in which order."""

from __future__ import annotations

from collections.abc import Iterator

from hilum.autopsy.values import Case, Finding
from hilum.autopsy.wording import join

BOTH = ("true", "predicted")


def find_margins(case: Case) -> Iterator[Finding]:
    """`matrix-size`, `class-counts`, `class-order` (impossible), `equal-margins` (note)."""
    if case.matrix is None or case.row.averaged:
        return
    n, counts = sum(map(sum, case.matrix)), case.sample.counts
    if counts and len(counts) == len(case.matrix):
        yield from _against_counts(case, counts)
    elif not _possible_size(case, n):
        expected = f"{case.sample.low:,}" if case.sample.n else f"{case.sample.low or 1:,} to {case.sample.high:,}"
        sentence = f"The cells of the matrix add up to {n:,} images; the report gives {expected}."
        yield Finding("matrix-size", "impossible", "Matrix of another number of images", sentence, case.title)


def rows_of(case: Case) -> tuple[str, ...]:
    """What the rows of the matrix can be: `true`, `predicted`, or both.

    The report's word counts, unless the numbers of images say otherwise.
    """
    if case.matrix is None:
        return BOTH
    rows, columns = _margins(case)
    counts = case.sample.counts
    if counts and (rows == counts) != (columns == counts):
        return ("true",) if rows == counts else ("predicted",)
    if case.row.rows_are:
        return (case.row.rows_are,)
    if counts and (sorted(rows) == sorted(counts)) != (sorted(columns) == sorted(counts)):
        return ("true",) if sorted(rows) == sorted(counts) else ("predicted",)
    return BOTH


def _against_counts(case: Case, counts: tuple[int, ...]) -> Iterator[Finding]:
    rows, columns = _margins(case)
    stated = {"true": (rows,), "predicted": (columns,)}.get(case.row.rows_are, (rows, columns))
    if counts in stated:
        return
    named = join([f"{count:,} {label}" for label, count in zip(case.classes, counts, strict=True)])
    if case.row.rows_are and counts in (rows, columns):
        other = "columns" if case.row.rows_are == "true" else "rows"
        sentence = (
            f"The images are {named}: those are the sums of the {other}, so rows and columns are taken for each other."
        )
        yield Finding("class-order", "impossible", "Rows and columns exchanged", sentence, case.title)
        return
    for margin, kind in ((rows, "rows"), (columns, "columns")):
        if sorted(margin) == sorted(counts):
            yield Finding(
                "class-order", "impossible", "Classes in another order", _order(case, margin, kind), case.title
            )
            return
    total = sum(rows)
    size = f" in all {total:,} of {sum(counts):,}" if total != sum(counts) else ""
    sentence = (
        f"The images are {named}; the rows of the matrix add up to {join([f'{each:,}' for each in rows])}, "
        "the columns to "
        f"{join([f'{each:,}' for each in columns])}{',' + size if size else ''}: neither fits, in any order."
    )
    yield Finding("class-counts", "impossible", "Matrix of other images", sentence, case.title)


def _order(case: Case, margin: tuple[int, ...], kind: str) -> str:
    counts = list(case.sample.counts)
    named = join([f"{label} {count:,}" for label, count in zip(case.classes, counts, strict=True)])
    wrong = [
        f"the {kind[:-1]} of {label} has {found:,} images"
        for label, found, count in zip(case.classes, margin, counts, strict=True)
        if found != count
    ]
    free, order = list(zip(counts, case.classes, strict=True)), []
    for found in margin:
        match = next(each for each in free if each[0] == found)
        free.remove(match)
        order.append(match[1])
    return (
        f"The classes have {named} images, but {join(wrong)}: the {kind} stand in the order {join(order)} and are read "
        f"as {join(list(case.classes))}."
    )


def _margins(case: Case) -> tuple[tuple[int, ...], tuple[int, ...]]:
    matrix = case.matrix or ()
    return tuple(map(sum, matrix)), tuple(map(sum, zip(*matrix, strict=True)))


def _possible_size(case: Case, n: int) -> bool:
    return (case.sample.low or 0) <= n <= (case.sample.high or n)
