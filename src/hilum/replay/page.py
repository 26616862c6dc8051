"""The page of a replay: the report's style, one file, nothing from outside."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from hilum.evaluation import Estimate
from hilum.replay.measure import Cell
from hilum.replay.networks import LEGS
from hilum.replay.reported import FOR_SCALE
from hilum.replay.systems import System
from hilum.replay.table import sentence_of
from hilum.replay.values import Line, Replay
from hilum.report.charts.intervals import find_range
from hilum.report.page import Chapter, render_document
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import StudyFacts
from hilum.report.words import join_words, render_duration
from hilum.version import __version__
from hilum.workflow.record import machine

PAGE = "replay.html"
SHARES = ("accuracy", "ppv", "sensitivity", "missed", "called", "false-positives", "confusion")
"""First words of metrics that are shares of images: printed in per cent and drawn on one scale from 0 to 1."""

SPLITS = {"train": "training", "val": "validation", "test": "test", "fold": "held-out"}
"""Splits in words."""


@dataclass(frozen=True)
class ReplayPage:
    """What the page's frame asks for: a name, a time, a version."""

    facts: StudyFacts


@dataclass(frozen=True)
class Shown:
    """A line as the template takes it.

    Args:
        percent: its figures are shares.
        reported: the report's figure without an interval; None where it is no number.
        margin: the mistake in a sentence; empty where the line above says it.
    """

    line: Line
    percent: bool
    reported: Estimate | None
    margin: str

    @property
    def cells(self) -> list[Cell]:
        """Ours, in the order of the columns."""
        return [self.line.cell(leg) for leg in LEGS]


def write_page(result: Replay, path: Path) -> Path:
    """Writes the page beside and renames it into place."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(render_replay(result).encode("utf-8", errors="backslashreplace"))
    partial.replace(path)
    return path


def render_replay(result: Replay) -> Markup:
    """The whole page."""
    sentence, glance = describe_replay(result), [_shown(line, "") for line in result.lines if _at_a_glance(line)]
    facts = StudyFacts(hilum=__version__, name=f"replay of {_names(result)}", started=result.started)
    head = render(
        "replay_head.html",
        sentence=sentence,
        data=sorted(result.data.items()),
        drawn=not result.settings.sources,
        machine=f"{machine()}, {os.cpu_count()} cores",
        settings=result.settings,
        glance=glance,
        ends=_ends(glance),
        columns=_columns(),
        duration=render_duration(result.seconds),
        scale_sentence=FOR_SCALE if {"A", "C", "E"} & {each.letter for each in result.systems} else "",
    )
    return render_document(ReplayPage(facts), f"Replay: {sentence}", head, list(_chapters(result)))


def describe_replay(result: Replay) -> str:
    """What came out, in one sentence."""
    counts = result.counts
    interrupted = " It was interrupted." if result.interrupted else ""
    return (
        f"Of {counts['reported']} reported figures of {_names(result)}, {counts['followed']} were run the report's way "
        f"and {counts['corrected']} corrected.{interrupted}"
    )


def _names(result: Replay) -> str:
    many = len(result.systems) > 1
    return f"system{'s' * many} {join_words([each.letter for each in result.systems])}"


def _chapters(result: Replay) -> Iterator[tuple[Chapter, list[Section]]]:
    for system in result.systems:
        sections = [_section(system, row, result) for row in system.rows]
        yield Chapter(f"system-{system.letter.lower()}", f"{system.letter}: {system.title}", ()), sections


def _section(system: System, row: str, result: Replay) -> Section:
    lines = [line for line in result.lines if line.figure.row == row]
    shown, before = [], ""
    for line in lines:
        sentence = sentence_of(line.figure)
        shown.append(_shown(line, "" if sentence == before else sentence))
        before = sentence
    notes = [_common_note([line.cell(leg) for line in lines]) for leg in LEGS]
    return Section(
        row,
        render(
            "replay_row.html", row=row, lines=shown, ends=_ends(shown), notes=notes, columns=_columns(), splits=SPLITS
        ),
    )


def _shown(line: Line, margin: str) -> Shown:
    return Shown(line, line.figure.metric.partition(" ")[0] in SHARES, _reported(line), margin)


def _at_a_glance(line: Line) -> bool:
    """Accuracies of validation and test images that were run; the first screen shows them."""
    figure, ran = line.figure, not (line.followed.empty and line.corrected.empty)
    return ran and figure.metric == "accuracy" and figure.split != "train" and not figure.first_phase


def _ends(shown: list[Shown]) -> tuple[float, float]:
    """The scale that the shares of a table are drawn on."""
    shares = [each for each in shown if each.percent]
    reported = [each.reported for each in shares if each.reported and each.reported.value <= 1]
    return find_range([*reported, *(cell.estimate for each in shares for cell in each.cells if cell.estimate)])


def _columns() -> tuple[str, str]:
    return "Run here, following the report", "Corrected"


def _reported(line: Line) -> Estimate | None:
    value = line.figure.value
    return None if value is None else Estimate(value, math.nan, math.nan)


def _common_note(cells: list[Cell]) -> str:
    """The note of all cells of a column where they have one and the same; it is then said once, above the table."""
    notes = {cell.note for cell in cells}
    return notes.pop() if len(notes) == 1 else ""
