"""From names and numbers to a report: shared by the readers of JSON, CSV and text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hilum.autopsy.names import METRICS, Name, understand, understand_sample
from hilum.autopsy.printed import Printed, read_printed
from hilum.autopsy.values import Figure, Matrix, Report, Row, Sample
from hilum.errors import DataError

MOST_CLASSES = 100
MOST_COUNT = 10**9
EXAMPLE = "Such as `87 147 / 128 262, accuracy 86.7, n 234 390`; docs/autopsy.md has the formats."


def make_figure(name: str, value: Any, classes: Sequence[str], sample: str = "") -> Figure | None:
    """A printed figure; None where its name is not that of a figure.

    Args:
        value: a number, a text, or a mapping with `value` and `ci` (two ends).
        sample: what it is of where its name does not say.

    Raises:
        DataError: a value that is no number.
    """
    meant = understand(name, classes)
    if meant is None:
        return None
    ends: tuple[Printed, ...] = ()
    if isinstance(value, Mapping):
        ends = _ends(name, value.get("ci", value.get("interval", ())))
        value = value.get("value")
    printed = read_printed(value, share=meant.metric != "other")
    if printed is None:
        raise DataError(f"autopsy: {name}", expected="a number such as 86.7, 0.867 or 86.7 %", found=str(value)[:40])
    if ends and printed.percent and not any(end.percent for end in ends):
        ends = tuple(replace(end, value=end.value / 100, step=end.step / 100, percent=True) for end in ends)
    return Figure(name.strip(), meant.metric, meant.over, meant.sample or understand_sample(sample), printed, ends)


def named(figure: Figure, meant: Name) -> Figure:
    """The figure under another reading of its name."""
    return replace(figure, metric=meant.metric, over=meant.over, sample=meant.sample or figure.sample)


def _ends(name: str, given: Any) -> tuple[Printed, ...]:
    values = [read_printed(each) for each in given] if isinstance(given, (list, tuple)) else [None]
    if not given and given in ((), [], None):
        return ()
    if len(values) != 2 or values[0] is None or values[1] is None:
        raise DataError(f"autopsy: interval of {name}", expected="its two ends", found=str(given)[:40])
    return values[0], values[1]


def make_matrix(cells: Any) -> Matrix:
    """A square matrix of whole numbers.

    Raises:
        DataError: anything else.
    """
    if not isinstance(cells, (list, tuple)) or not all(isinstance(row, (list, tuple)) for row in cells):
        raise DataError("autopsy: matrix", expected="rows of whole numbers", found=str(cells)[:60], way_out=EXAMPLE)
    rows = tuple(tuple(whole(cell, "matrix") for cell in row) for row in cells)
    if not 2 <= len(rows) <= MOST_CLASSES or any(len(row) != len(rows) for row in rows):
        found = f"{len(rows)} rows of {', '.join(map(str, sorted({len(row) for row in rows})))} numbers"
        raise DataError(
            "autopsy: matrix", expected="as many rows as columns, two or more", found=found, way_out=EXAMPLE
        )
    if not sum(map(sum, rows)):
        raise DataError("autopsy: matrix", expected="at least one image", found="zeros only")
    return rows


def whole(value: Any, what: str) -> int:
    """A number of images.

    Raises:
        DataError: no whole number from 0 to a thousand million.
    """
    text = str(value).strip().replace(",", "").replace("_", "")
    if isinstance(value, bool) or not re.fullmatch(r"\d+(\.0*)?", text) or float(text) > MOST_COUNT:
        raise DataError(f"autopsy: {what}", expected="whole numbers of images, from 0", found=str(value)[:40])
    return int(float(text))


def make_sample(numbers: Sequence[Any], *, span: bool = False) -> Sample:
    """One number is a size, two with `span` are its limits, several are counts of the classes.

    Raises:
        DataError: no whole numbers, or no images.
    """
    counts = tuple(whole(each, "n") for each in numbers)
    if span and len(counts) == 2:
        if not 0 < counts[0] <= counts[1] or counts[1] > 1_000_000:
            raise DataError(
                "autopsy: n", expected="a range such as 100-2000, up to a million", found=f"{counts[0]}-{counts[1]}"
            )
        return Sample(counts[0], counts[1])
    if not counts or not sum(counts):
        raise DataError("autopsy: n", expected="one image or more", found=", ".join(map(str, counts)) or "nothing")
    return Sample(counts[0], counts[0]) if len(counts) == 1 else Sample(sum(counts), sum(counts), counts)


def finish(
    name: str,
    classes: Sequence[str],
    samples: Mapping[str, Sample],
    rows: Iterable[Row],
    *,
    positive: str = "",
    binary: bool = False,
    ignored: Sequence[str] = (),
) -> Report:
    """A report that fits together.

    Raises:
        DataError: nothing to look at, a class twice, or classes that do not fit matrices and counts.
    """
    kept = tuple(_described(row, samples) for row in rows if row.figures or row.matrix)
    if not kept:
        raise DataError(
            f"autopsy: {name}", expected="a confusion matrix or figures with names", found="neither", way_out=EXAMPLE
        )
    if len(set(classes)) != len(classes):
        raise DataError("autopsy: classes", expected="each class once", found=", ".join(classes))
    sizes = {len(row.matrix) for row in kept if row.matrix} | {
        len(each.counts) for each in samples.values() if each.counts
    }
    if classes and sizes - {len(classes)}:
        found = f"{', '.join(classes)} beside {', '.join(map(str, sorted(sizes - {len(classes)})))} rows or counts"
        raise DataError("autopsy: classes", expected="as many names as rows and counts", found=found)
    if positive and positive not in classes:
        found = f"{positive}, and the classes {', '.join(classes) or 'without names'}"
        raise DataError("autopsy: positive", expected="the name of a class", found=found)
    return Report(
        name, tuple(classes), positive, binary or sizes == {2} or len(classes) == 2, dict(samples), kept, tuple(ignored)
    )


def _described(row: Row, samples: Mapping[str, Sample]) -> Row:
    """The row with its figures on the only sample that is described, where they name none."""
    if len(samples) == 1:
        (only,) = samples
        figures = tuple(replace(each, sample=each.sample or only) for each in row.figures)
        row = replace(row, figures=figures, sample=row.sample or only)
    spread = any(each.printed.spread for each in row.figures)
    return replace(row, averaged=row.averaged or spread)


def known_figures() -> str:
    """For messages: what figures may be called."""
    return ", ".join(each.replace("_", " ") for each in METRICS)
