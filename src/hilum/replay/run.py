"""A replay: every row of some systems, trained the way of the report and the right way, one figure after the other."""

from __future__ import annotations

import time

from hilum.recipes.registry import RECIPES
from hilum.replay.measure import Cell
from hilum.replay.networks import LEGS, networks_of
from hilum.replay.reported import Reported
from hilum.replay.systems import System
from hilum.replay.task import Clock, replay_task
from hilum.replay.values import Line, Replay, Settings
from hilum.workflow.record import locked, now
from hilum.workflow.voice import Silent, Voice

NOT_ASKED, INTERRUPTED = "Not yet run: left out by --only.", "Not yet run: interrupted."


def replay(systems: tuple[System, ...], settings: Settings, voice: Voice | None = None) -> Replay:
    """Runs what can be run; whatever goes wrong with a row stays with that row.

    Running it again takes what is finished.
    """
    voice, started, began = voice or Silent(), now(), time.monotonic()
    clock = Clock(settings.time_budget, _count_trainings(systems, settings))
    cells: dict[Reported, tuple[Cell, Cell]] = {}
    data, missing = dict[str, str](), NOT_ASKED
    settings.out.mkdir(parents=True, exist_ok=True)
    with locked(settings.out):
        try:
            for system in systems:
                for task in system.all_tasks:
                    cells |= replay_task(system, task, rows_of(system, task, settings), settings, clock, voice, data)
        except KeyboardInterrupt:
            missing = INTERRUPTED
    empty = Cell(note=missing)
    figures = [figure for system in systems for figure in system.figures]
    lines = tuple(Line(figure, *cells.get(figure, (empty, empty))) for figure in figures)
    seconds = time.monotonic() - began
    return Replay(systems, lines, settings, data, started, seconds, interrupted=missing == INTERRUPTED)


def rows_of(system: System, task: str, settings: Settings) -> list[str]:
    """Names of the rows of a task that are asked for."""
    return [row for row in system.rows if row in settings.rows and system.task(row) == task]


def _count_trainings(systems: tuple[System, ...], settings: Settings) -> int:
    runs = {"followed": 1, "corrected": 1 + settings.folds}
    detectors = [row for system in systems for row in system.rows if row in settings.rows and RECIPES[row].anomaly]
    return len(LEGS) * len(detectors) + sum(
        runs[leg] * len(networks_of(system, rows_of(system, task, settings), leg))
        for system in systems
        for task in system.all_tasks
        for leg in LEGS
    )
