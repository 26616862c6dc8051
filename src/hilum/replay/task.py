"""One task of a system: its data, both legs, and a pair of cells for each figure."""

from __future__ import annotations

import time
import traceback
from dataclasses import replace
from pathlib import Path

from hilum.errors import HilumError
from hilum.recipes.registry import RECIPES
from hilum.replay.anomaly import detect_anomalies
from hilum.replay.drawn import draw_task
from hilum.replay.ledger import close_test, open_test
from hilum.replay.leg import Leg, make_legs
from hilum.replay.measure import Cell, is_of_predictions, measure_predictions, measure_run
from hilum.replay.networks import Network, network_of_row, networks_of
from hilum.replay.remarks import describe_cut, start_without_weights
from hilum.replay.reported import Reported
from hilum.replay.systems import TASKS, System
from hilum.replay.values import Settings
from hilum.workflow.data import study_data
from hilum.workflow.options import Options
from hilum.workflow.run import run_recipe
from hilum.workflow.voice import Voice

NO_DATA = "Not yet run: no data were given for this system."
Cells = dict[Reported, tuple[Cell, Cell]]


class Clock:
    """Shares what is left of a time budget among the trainings that are still to come.

    Args:
        budget: seconds; None = no limit.
        trainings: how many are to come.
    """

    def __init__(self, budget: float | None, trainings: int) -> None:
        self.deadline = None if budget is None else time.monotonic() + budget
        self.trainings = trainings

    def share(self) -> float | None:
        """Seconds for the next training."""
        left = max(self.trainings, 1)
        self.trainings -= 1
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 1.0) / left


def replay_task(
    system: System, task: str, rows: list[str], settings: Settings, clock: Clock, voice: Voice, data: dict[str, str]
) -> Cells:
    """Trains and measures the rows of a task both ways.

    Args:
        rows: names of the rows that are asked for.
        data: letter -> what was read, in words; added to.
    """
    figures = [each for each in system.figures if each.row in rows]
    if not rows:
        return {}
    if settings.sources and system.letter not in settings.sources:
        return _all(figures, NO_DATA)
    try:
        legs = _legs(system, task, settings, voice, data)
    except (HilumError, OSError) as error:
        voice.warn(f"system {system.letter}, {task}: {error}")
        return _all(figures, f"Not yet run: {error}")
    for leg in legs:
        _run_leg(system, rows, leg, legs[1], settings, clock, voice)
    with voice.stage(f"figures of {system.letter}"):
        return {
            each: (_cell(system, each, legs[0], settings), _cell(system, each, legs[1], settings)) for each in figures
        }


def _all(figures: list[Reported], note: str) -> Cells:
    return {figure: (Cell(note=note), Cell(note=note)) for figure in figures}


def _legs(system: System, task: str, settings: Settings, voice: Voice, data: dict[str, str]) -> tuple[Leg, Leg]:
    labels, classes = TASKS[task]
    source, study_dir = settings.sources.get(system.letter), settings.out / system.name / task
    study_dir.mkdir(parents=True, exist_ok=True)
    with voice.stage(f"data of {system.letter}, {task}") as bar:
        words = source.name if source else "drawn X-rays"
        if source is None:
            splits, labels = system.split != "no-test", "folders"
            source = draw_task(settings.out / "drawn", classes, settings.images, splits=splits, seed=settings.seed)
        options = Options(
            labels=labels, out=study_dir, weights_dir=settings.weights_dir, device=settings.device, seed=settings.seed,
            val_fraction=system.val_fraction, replicates=settings.replicates, time_budget=settings.time_budget,
        )  # fmt: skip
        manifest = study_data(source, study_dir, options, [], bar).manifest
    data[system.letter] = f"{words}, {len(manifest):,} images"
    return make_legs(system, manifest, study_dir, options, settings.folds)


def _run_leg(
    system: System, rows: list[str], leg: Leg, right: Leg, settings: Settings, clock: Clock, voice: Voice
) -> None:
    """Trains every network of a leg, and only then opens the test split."""
    networks = networks_of(system, rows, leg.name, epochs=settings.epochs)
    early = not len(leg.manifest.split("test"))  # these images train or validate
    opening = open_test(leg, right.manifest, networks) if early else None
    for network in networks:
        _train(leg, network, settings, clock, voice)
    for row in rows:
        if RECIPES[row].anomaly is not None:
            leg.detected[row] = detect_anomalies(row, leg, settings, clock.share(), voice)
    opening = opening if early else open_test(leg, right.manifest, networks)
    with voice.stage(f"predictions, {leg.name}"):
        for figure in system.figures:
            if figure.row in rows and is_of_predictions(figure):
                _predict(figure, leg, _network(system, figure, leg, settings))
    close_test(leg, opening)


def _train(leg: Leg, network: Network, settings: Settings, clock: Clock, voice: Voice) -> None:
    asked, sentence = network, ""
    if settings.start_random and network.recipe.model.weights != "none":
        asked, sentence = start_without_weights(network, leg.manifest, leg.options)
    for run, manifest in leg.trainings(network):
        with voice.stage(f"{leg.name}/{run}") as bar:
            outcome = run_recipe(
                asked.recipe, manifest, leg.study_dir, leg.options,
                time_budget=clock.share(), on_step=bar, run=f"{leg.name}/{run}", allow=asked.allow,
            )  # fmt: skip
        if outcome.interrupted:
            raise KeyboardInterrupt
        if outcome.status not in ("done", "collapsed"):
            leg.failed[run] = f"Not yet run: {outcome.sentence}"
            voice.warn(f"{leg.name}/{run}: {outcome.sentence}")
            continue
        broken = outcome.sentence if outcome.status == "collapsed" else ""
        leg.remarks[run] = " ".join(filter(None, [sentence, describe_cut(leg.folder / run, settings.epochs), broken]))


def _network(system: System, figure: Reported, leg: Leg, settings: Settings) -> Network:
    return network_of_row(system, figure.row, leg.name, first_phase=figure.first_phase, epochs=settings.epochs)


def _predict(figure: Reported, leg: Leg, network: Network) -> None:
    """Makes the predictions file of a figure; what goes wrong is kept for its cell."""
    key = leg.key(figure, network)
    if key in leg.made or RECIPES[figure.row].anomaly is not None:
        return
    try:
        leg.made[key] = leg.predictions(figure, network)
    except HilumError as error:
        leg.made[key] = str(error)
    except Exception as error:  # a row that fails never stops the others
        (leg.folder / f"{figure.row}-error.txt").write_text(traceback.format_exc())
        leg.made[key] = f"Not yet run: an unexpected {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _cell(system: System, figure: Reported, leg: Leg, settings: Settings) -> Cell:
    """One of our two figures, or an empty cell with the reason; nothing that goes wrong leaves it."""
    if RECIPES[figure.row].anomaly is not None:
        return leg.detected[figure.row]
    network = _network(system, figure, leg, settings)
    if network.run in leg.failed:
        return Cell(note=leg.failed[network.run])
    try:
        cell = _measured(figure, leg, network, settings)
    except Exception as error:  # a row that fails never stops the others
        return Cell(note=f"Not yet run: an unexpected {type(error).__name__}: {' '.join(str(error).split())[:200]}")
    return cell if cell.empty else replace(cell, note=" ".join(filter(None, [cell.note, leg.remark_of(network)])))


def _measured(figure: Reported, leg: Leg, network: Network, settings: Settings) -> Cell:
    if not is_of_predictions(figure):
        return measure_run(figure, leg.folder / network.run, _source(leg.folder / network.run, settings.out))
    made = leg.made[leg.key(figure, network)]
    if isinstance(made, str):
        return Cell(note=made)
    predictions, path = made
    source = _source(path, settings.out)
    return measure_predictions(figure, predictions, source, seed=settings.seed, replicates=settings.replicates)


def _source(path: Path, out: Path) -> str:
    return path.relative_to(out).as_posix()
