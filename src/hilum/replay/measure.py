"""A figure of a report, computed for one of our two columns."""

from __future__ import annotations

import csv
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hilum.data.predictions import Predictions
from hilum.evaluation import Estimate, Evaluation, Patients, evaluate
from hilum.evaluation.intervals import share_interval
from hilum.evaluation.values import without_nan
from hilum.labels import LabelSet, is_normal
from hilum.replay.reported import Reported
from hilum.workflow.record import read_json

OVERALL = ("accuracy", "log_loss", "ppv")
OF_PREDICTIONS = (*OVERALL, "confusion", "sensitivity", "missed", "called", "false-positives")
"""First words of the metrics that are computed from a predictions file."""

NEVER_CALLED = "not defined: some class was never called"


@dataclass(frozen=True)
class Cell:
    """One of our figures.

    Args:
        text: what is printed where there is no estimate, or beside it (a matrix, a count).
        estimate: the figure with its interval; a plain number has no ends.
        images, split: how many images it rests on, and of which split.
        source: the predictions file or run that it was computed from, relative to the replay's folder.
        note: why it is empty, or what must be known to read it.
    """

    text: str = ""
    estimate: Estimate | None = None
    images: int = 0
    split: str = ""
    source: str = ""
    note: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing was computed."""
        return not self.text and self.estimate is None

    def to_json(self) -> dict[str, Any]:
        """A JSON document; NaN becomes null."""
        return without_nan(asdict(self))


def is_of_predictions(figure: Reported) -> bool:
    """Whether a figure is computed from a predictions file rather than from the run itself."""
    return figure.metric.partition(" ")[0] in OF_PREDICTIONS


def measure_predictions(figure: Reported, predictions: Predictions, source: str, *, seed: int, replicates: int) -> Cell:
    """A figure of a predictions file.

    Args:
        source: the file, for whoever reads the figure.
        seed, replicates: of the patient-level bootstrap.
    """
    evaluation = evaluate(predictions, seed=seed, replicates=replicates)
    kind, _, name = figure.metric.partition(" ")
    facts: dict[str, Any] = {"images": evaluation.images, "split": evaluation.split, "source": source}
    if kind in OVERALL:
        estimate = evaluation.overall[kind]
        return Cell(estimate=estimate, note=NEVER_CALLED if estimate.value != estimate.value else "", **facts)
    if kind == "confusion":
        text = str([list(row) for row in evaluation.confusion])
        return Cell(text, evaluation.overall["accuracy"], note=_order(evaluation), **facts)
    if kind == "false-positives":
        return _counted(*_false_positives(predictions), predictions, "wrong images", facts)
    position = find_class(predictions.labels, name)
    if position is None:
        return Cell(note=f"no class of these data is called {name}", source=source)
    if kind == "sensitivity":
        return Cell(estimate=evaluation.per_class[position].sensitivity, **facts)
    target, called = predictions.target == position, predictions.decisions == position
    hit, inside = (target & ~called, target) if kind == "missed" else (called & ~target, ~target)
    return _counted(hit, inside, predictions, "images", facts)


def measure_run(figure: Reported, run_dir: Path, source: str) -> Cell:
    """A figure of a run folder: a plain number, which no sample stands behind."""
    environment, recipe = read_json(run_dir / "environment.json") or {}, read_json(run_dir / "recipe.json") or {}
    if figure.metric == "epoch-seconds":
        with (run_dir / "history.csv").open(newline="") as file:
            seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
        value = float(np.mean(seconds))
    else:
        found = {
            "epochs": environment.get("epochs_done"),
            "parameters": environment.get("parameters"),
            "lr": recipe.get("phases", [{}])[0].get("lr"),
            "dropout": recipe.get("model", {}).get("dropout"),
        }
        value = float(found[figure.metric])
    text = f"{value:,.0f}" if figure.metric in ("epochs", "parameters") else f"{value:.3g}"
    return Cell(text, Estimate(value, math.nan, math.nan), source=source)


def find_class(labels: LabelSet, name: str) -> int | None:
    """Position of the class that a report means: `bacterial` is also spelt `bacteria`, `viral` `virus`."""
    for position, label in enumerate(labels):
        if (name == "normal" and is_normal(label)) or label.casefold()[:3] == name[:3]:
            return position
    return None


def _false_positives(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    wrong = predictions.decisions != predictions.target
    normal = find_class(predictions.labels, "normal")
    return wrong & (predictions.target == normal), wrong


def _counted(hit: np.ndarray, inside: np.ndarray, predictions: Predictions, noun: str, facts: dict[str, Any]) -> Cell:
    k, n = int((hit & inside).sum()), int(inside.sum())
    interval = share_interval(hit, Patients.of(predictions.table["patient_id"].tolist()), inside)
    share = Estimate(k / n if n else math.nan, interval.low, interval.high, k, n)
    return Cell(f"{k:,} of {n:,} {noun}", share, **facts)


def _order(evaluation: Evaluation) -> str:
    return f"rows true, columns called, in the order {', '.join(evaluation.labels)}; the interval is of the accuracy"
