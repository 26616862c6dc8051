"""The rows of systems C and E that are anomaly detectors: the same autoencoder, a threshold by eye or by rule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hilum.errors import HilumError
from hilum.evaluation import Estimate, Patients
from hilum.evaluation.intervals import share_interval
from hilum.inspection.anomaly import Scores
from hilum.recipes.registry import RECIPES
from hilum.recipes.schema import Recipe
from hilum.replay.leg import Leg
from hilum.replay.measure import Cell
from hilum.replay.values import Settings
from hilum.workflow.anomaly import SCORES, Detection
from hilum.workflow.autoencoder import run_autoencoder
from hilum.workflow.voice import Voice

BY_EYE: Mapping[str, float | None] = {"c-anomaly": 0.01, "e-anomaly": None}
"""Threshold on the reconstruction error as reported; None: two thresholds that were not written down."""
HALFWAY = "thresholds not reported; here halfway between the classes' means, which is what looking at them suggests"


def detect_anomalies(row: str, leg: Leg, settings: Settings, time_budget: float | None, voice: Voice) -> Cell:
    """Trains a row's autoencoder on a leg's normal training images and says what its threshold does on validation.

    Returns:
        A cell with a text; an empty one with the reason where it could not be done.
    """
    recipe = RECIPES[row]
    if settings.epochs is not None:
        phases = tuple(replace(phase, max_epochs=settings.epochs) for phase in recipe.phases)
        recipe = replace(recipe, phases=phases)
    run = f"{leg.name}/{row}"
    try:
        with voice.stage(run) as bar:
            detection, scores, environment = run_autoencoder(
                recipe, leg.manifest, leg.study_dir, leg.options, time_budget=time_budget, on_step=bar, run=run
            )
    except HilumError as error:
        voice.warn(f"{run}: {error}")
        return Cell(note=f"Not yet run: {error}")
    if environment["interrupted"]:
        raise KeyboardInterrupt
    val = scores.split("val")
    source = (detection.folder / SCORES).relative_to(settings.out).as_posix()
    text, note = _followed(row, val) if leg.name == "followed" else _corrected(recipe, detection)
    return Cell(
        text=text,
        images=len(val.table),
        split="val",
        source=source,
        note=" ".join(filter(None, [note, *_cut(environment)])),
    )


def _followed(row: str, val: Scores) -> tuple[str, str]:
    threshold = BY_EYE[row]
    if threshold is not None:
        calls = val.of("error") > threshold
        return f"{threshold:g}: {_does(calls, val)}", ""
    normal = val.is_normal
    ends = {name: (val.of(name)[normal].mean() + val.of(name)[~normal].mean()) / 2 for name in ("error", "density")}
    calls = np.any([val.of(name) > end for name, end in ends.items()], axis=0)
    return f"error {ends['error']:.4f} or log density {-ends['density']:.0f}: {_does(calls, val)}", f"{HALFWAY}."


def _corrected(recipe: Recipe, detection: Detection) -> tuple[str, str]:
    own = detection.document["own_rule"]
    found = next(each for each in detection.assessments if each.name == own)
    figures, rule = found.splits["val"], found.rule
    ends = dict(zip(rule.names, rule.thresholds, strict=True))
    words = [f"error {ends['error']:.4f}"] if "error" in ends else []
    words += [f"log density {-ends['density']:.0f}"] if "density" in ends else []
    does = f"{_share(figures.sensitivity)} of the abnormal found, {_share(figures.false_alarms)} false alarms"
    area = figures.auroc
    ranks = f", AUROC {area.value:.3f} [{area.ci_low:.3f}, {area.ci_high:.3f}]" if math.isfinite(area.value) else ""
    asked = f"From normal validation images at {100 * rule.rate:.0f} % false alarms."
    return f"{' or '.join(words)}: {does}{ranks}", asked


def _does(calls: np.ndarray, val: Scores) -> str:
    patients = Patients.of(val.table["patient_id"].tolist())
    shares = []
    for inside in (~val.is_normal, val.is_normal):
        interval, k, n = share_interval(calls, patients, inside), int((calls & inside).sum()), int(inside.sum())
        shares.append(_share(Estimate(k / n if n else math.nan, interval.low, interval.high)))
    return f"{shares[0]} of the abnormal found, {shares[1]} false alarms"


def _share(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.1f} % [{100 * estimate.ci_low:.1f}, {100 * estimate.ci_high:.1f}]"


def _cut(environment: Mapping[str, object]) -> list[str]:
    return [f"Training {environment['stopped']}."] if environment["stopped"] else []
