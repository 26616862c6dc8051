"""The page of an autopsy: the same style as a report, one file, nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from hilum.autopsy.describe import describe_autopsy
from hilum.autopsy.intervals import interval_rows
from hilum.autopsy.values import SEVERITIES, Autopsy, Row
from hilum.evaluation.values import Estimate
from hilum.report.charts.palette import class_colour
from hilum.report.page import Chapter, render_document
from hilum.report.sections.confusion import SHADES, Cell
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import StudyFacts
from hilum.report.words import capitalise
from hilum.report.writing import write_text
from hilum.version import __version__

TITLES = {
    "impossible": "Cannot be true",
    "suspicious": "Can be true, and hardly is",
    "note": "What a reader should know",
}
SIGNS = {"impossible": "✕", "suspicious": "!", "note": "i"}


@dataclass(frozen=True)
class AutopsyPage:
    """What the page's frame asks for: a name, a time, a version."""

    facts: StudyFacts


def write_autopsy_page(autopsy: Autopsy, path: Path) -> Path:
    """Writes the page, beside and renamed into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_text(path, render_autopsy_page(autopsy))


def render_autopsy_page(autopsy: Autopsy) -> Markup:
    """The whole page. It holds no time and no path: the same report gives the same page."""
    sentence = describe_autopsy(autopsy)
    head = render(
        "autopsy_head.html",
        sentence=sentence,
        name=autopsy.report.name,
        findings=[each for each in autopsy.findings if each.severity == "impossible"],
    )
    about = AutopsyPage(StudyFacts(hilum=__version__, name=autopsy.report.name))
    return render_document(about, f"Autopsy: {sentence}", head, list(_chapters(autopsy)))


def _chapters(autopsy: Autopsy) -> Iterator[tuple[Chapter, list[Section]]]:
    for severity in SEVERITIES:
        found = [each for each in autopsy.findings if each.severity == severity and each.code != "intervals"]
        if found:
            html = render("autopsy_findings.html", findings=found, sign=SIGNS[severity], severity=severity)
            yield Chapter(severity, TITLES[severity], ()), [Section("", html)]
    if rows := interval_rows(autopsy.findings):
        yield Chapter("intervals", "The intervals that belong beside the figures", ()), [_intervals(rows)]
    if matrices := [row for row in autopsy.report.rows if row.matrix]:
        sections = [_matrix(autopsy, row) for row in matrices]
        yield Chapter("matrices", "The matrices as printed", ()), sections
    understood = render("autopsy_understood.html", lines=autopsy.understood, ignored=autopsy.report.ignored)
    yield Chapter("understood", "What was understood", ()), [Section("", understood)]


def _intervals(rows: list) -> Section:
    drawn = [(where, row, Estimate(row["value"], *row["ends"]) if row["k"] else None) for where, row in rows]
    shares = [each for each in rows if each[1]["k"]]
    widest = max(shares, key=lambda each: each[1]["ends"][1] - each[1]["ends"][0])
    width = 100 * (widest[1]["ends"][1] - widest[1]["ends"][0])
    subject = ", ".join(part for part in (widest[0], widest[1]["figure"]) if part)
    sentence = f"The least certain is {subject}: its interval is {width:.0f} points wide."
    return Section("", render("autopsy_intervals.html", rows=drawn, sentence=sentence, ends=(0.0, 1.0)))


def _matrix(autopsy: Autopsy, row: Row) -> Section:
    matrix = row.matrix or ()
    classes = autopsy.report.classes or tuple(f"class {i + 1}" for i in range(len(matrix)))
    labels = [(label, class_colour(i)) for i, label in enumerate(classes)]
    rows = [(label, _cells(i, matrix[i])) for i, label in enumerate(labels)]
    hits, n = sum(matrix[i][i] for i in range(len(matrix))), sum(map(sum, matrix))
    sentence = f"{hits:,} of {n:,} pictures lie on the diagonal ({100 * hits / n:.1f} %)."
    html = render("autopsy_matrix.html", labels=labels, rows=rows, sentence=sentence)
    return Section(capitalise(row.name) if row.name else "Matrix", html)


def _cells(position: int, row: tuple[int, ...]) -> tuple[Cell, ...]:
    total = max(sum(row), 1)
    return tuple(Cell(n, n / total, round(SHADES * n / total), j == position) for j, n in enumerate(row))
