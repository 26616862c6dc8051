"""The confusion matrix, as a table that a screen reader can walk through."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from hilum.evaluation.values import Evaluation
from hilum.report.charts.palette import class_colour
from hilum.report.sections.section import Section, evaluated, name_source, render
from hilum.report.study_folder import Study
from hilum.report.words import render_count, render_percent

SHADES = 10


@dataclass(frozen=True)
class Cell:
    """A count, its share of the row, and how dark it is printed (0 to 10)."""

    count: int
    share: float
    shade: int
    right: bool


def make_confusion(study: Study) -> Section | None:
    """Counts and shares of the true class."""
    evaluation = evaluated(study)
    if evaluation is None:
        return None
    return Section("What was taken for what", render_confusion(evaluation, name_source(study)))


def render_confusion(evaluation: Evaluation, source: str) -> Markup:
    """The matrix of any evaluation.

    Args:
        source: the predictions file that it was counted from.
    """
    labels = [(label, class_colour(i)) for i, label in enumerate(evaluation.labels)]
    return render(
        "confusion.html",
        labels=labels,
        rows=[(label, _cells(i, evaluation.confusion[i])) for i, label in enumerate(labels)],
        sentence=describe_confusion(evaluation),
        source=source,
    )


def _cells(position: int, row: tuple[int, ...]) -> tuple[Cell, ...]:
    total = max(sum(row), 1)
    return tuple(Cell(n, n / total, round(SHADES * n / total), j == position) for j, n in enumerate(row))


def describe_confusion(evaluation: Evaluation) -> str:
    """The largest mistake, or what else the matrix shows."""
    labels, confusion = evaluation.labels, evaluation.confusion
    answers = [sum(row[j] for row in confusion) for j in range(len(labels))]
    if sum(count > 0 for count in answers) == 1:
        return (
            f"Every picture was called {labels[max(range(len(labels)), key=answers.__getitem__)]}, whatever it shows."
        )
    wrong = [
        (confusion[i][j], i, j) for i in range(len(labels)) for j in range(len(labels)) if i != j and confusion[i][j]
    ]
    if not wrong:
        return "Every picture was called what it is."
    count, i, j = max(wrong, key=lambda each: each[0])
    total = sum(confusion[i])
    missed = render_count(sum(n for n, _, _ in wrong), "picture")
    return (
        f"{missed} of {sum(map(sum, confusion)):,} got a wrong answer. The most frequent mistake: "
        f"{count:,} of {total:,} {labels[i]} called {labels[j]} ({render_percent(count / total)})."
    )
