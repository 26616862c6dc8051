"""A pasted `classification_report` of scikit-learn: a line a class, then accuracy and averages."""

from __future__ import annotations

import re
from dataclasses import replace

from hilum.autopsy.building import finish, make_figure, make_sample
from hilum.autopsy.reading_text import read_text
from hilum.autopsy.values import Figure, Report, Row
from hilum.errors import DataError

_HEAD = re.compile(r"^[ \t]*precision[ \t]+recall[ \t]+f1-score[ \t]+support[ \t]*$", re.MULTILINE)
_SHARE = r"([01](?:\.\d+)?)"
_LINE = re.compile(rf"[ \t]*(\S.*?)[ \t]+{_SHARE}[ \t]+{_SHARE}[ \t]+{_SHARE}[ \t]+(\d+)[ \t]*")
_ACCURACY = re.compile(rf"[ \t]*accuracy[ \t]+{_SHARE}[ \t]+(\d+)[ \t]*")
_AVERAGE = re.compile(r"(macro|weighted|micro|samples)[ ]avg")
NAMES = ("precision", "recall", "F1")


def read_classification_report(text: str, name: str) -> Report | None:
    """A report from what scikit-learn prints, with whatever stands around it; None where there is no such table.

    Raises:
        DataError: a class twice.
    """
    head = _HEAD.search(text)
    if head is None:
        return None
    classes: dict[str, int] = {}
    lines: list[tuple[str, tuple[str, ...]]] = []
    rest = [text[: head.start()]]
    for line in text[head.end() :].split("\n"):
        if found := _ACCURACY.fullmatch(line):
            lines.append(("accuracy", (found[1],)))
        elif found := _LINE.fullmatch(line):
            over = _AVERAGE.fullmatch(found[1])
            if over is None:
                classes[found[1]] = int(found[5])
            lines.append((over[1] if over else found[1], (found[2], found[3], found[4])))
        else:
            rest.append(line)
    if len(classes) < 2:
        return None
    samples = {"": make_sample(list(classes.values()))}
    if any(over == "micro" for over, _ in lines):  # stands in place of the accuracy where not all classes are listed
        lines, samples = [each for each in lines if each[0] in classes], {}
        classes["the others"] = 0
    figures = tuple(figure for over, values in lines for figure in _figures(over, values, classes))
    report = finish(name, tuple(classes), samples, [Row("", figures)])
    return _with_rest(report, "\n".join(rest).strip(), name)


def _figures(over: str, values: tuple[str, ...], classes: dict[str, int]) -> list[Figure]:
    if len(values) == 1:
        made = [make_figure("accuracy", values[0], ())]
    else:
        made = [make_figure(f"{what} {over}", value, tuple(classes)) for what, value in zip(NAMES, values, strict=True)]
    return [replace(each, over="" if over == "accuracy" else over) for each in made if each]


def _with_rest(report: Report, text: str, name: str) -> Report:
    """A matrix and figures that stand beside the table are of the same row."""
    if not re.search(r"\d", text):
        return report
    try:
        rest = read_text(text, name)
    except DataError:
        return replace(report, ignored=(*report.ignored, " ".join(text.split())[:200]))
    (row,), (first, *others) = report.rows, rest.rows
    joined = replace(row, figures=(*row.figures, *first.figures), matrix=first.matrix, rows_are=first.rows_are)
    samples = {**{key: each for key, each in rest.samples.items() if key}, **report.samples}
    return finish(
        name,
        report.classes,
        samples,
        [joined, *others],
        positive=rest.positive,
        ignored=(*report.ignored, *rest.ignored),
    )
