"""The whole study: data, recipes, runs, the choice on validation, one look at the test split, the report."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hilum.audit import Audit, read_audit
from hilum.audit.pictures import CANVAS
from hilum.data.corrections import read_corrections
from hilum.data.manifest import Manifest
from hilum.data.sources import list_images
from hilum.errors import DataError
from hilum.evaluation.values import Evaluation
from hilum.recipes.schema import Recipe
from hilum.version import __version__
from hilum.workflow.audit import AUDIT, audit_of
from hilum.workflow.choice import leaderboard_of, open_test_split
from hilum.workflow.clock import Clock, budget_of, device_name
from hilum.workflow.data import StudyData, drawn_data, study_data, write_csv
from hilum.workflow.gap import explain_run
from hilum.workflow.guards import find_study_verdicts
from hilum.workflow.inspect import inspect_run
from hilum.workflow.network import preprocessing_of
from hilum.workflow.options import Options
from hilum.workflow.plan import plan_recipes, suited
from hilum.workflow.record import locked, machine, now, read_json, versions, write_json
from hilum.workflow.run import RunOutcome, run_recipe
from hilum.workflow.seal import SEAL, sealed
from hilum.workflow.siblings import find_other_openings
from hilum.workflow.voice import Silent, Voice


@dataclass(frozen=True)
class Study:
    """What a study came to.

    Args:
        study_dir: the folder with everything in it.
        manifest: the images, labels, patients and splits.
        leaderboard: one row a run, best on validation first.
        chosen_run: name of the run that was chosen on validation, None when no run is usable.
        test: figures of the chosen run on the test split.
        rejected: files that could not be used.
        report: the page.
        interrupted: Ctrl-C ended it early; the test split was not opened, and the same call goes on.
        guards: what `guards.json` holds: one entry a finding with `run`, `code`, `severity`, `sentence`.
    """

    study_dir: Path
    manifest: Manifest
    leaderboard: pd.DataFrame
    chosen_run: str | None
    test: Evaluation | None
    rejected: int
    report: Path
    interrupted: bool = False
    guards: tuple[dict[str, Any], ...] = ()

    @property
    def audit(self) -> Audit:
        """The findings about the data."""
        return read_audit(self.study_dir / AUDIT)

    @property
    def headline(self) -> str:
        """One sentence: the result with its interval."""
        from hilum.report import describe_study

        return describe_study(self.study_dir)

    @property
    def model_path(self) -> Path | None:
        """The chosen run's model file."""
        return self.study_dir / self.chosen_run / "model.safetensors" if self.chosen_run else None

    def _repr_html_(self) -> str:
        import html

        return f"<p>{html.escape(self.headline)}</p><p><code>{html.escape(str(self.report))}</code></p>"


def run_study(data: Path | None, options: Options, voice: Voice | None = None) -> Study:
    """Runs a study from a data root to a report; parts that an earlier call finished are not done again.

    Args:
        data: folder or manifest file; None draws X-rays.

    Raises:
        HilumError: no usable data, a wrong option. A run that fails does not end the study.
    """
    device_name(options.device)
    budget = budget_of(options, drawn=data is None)
    recipes, remarks = plan_recipes(options.recipes, options.weights_dir, quick=options.quick, seconds=budget)
    if data is not None:
        list_images(data, options.labels)  # before anything is written: a mistyped path leaves no folder behind
    if options.corrections:
        read_corrections(options.corrections)
    study_dir = options.out or Path("runs") / study_name(data, options.labels)
    study_dir.mkdir(parents=True, exist_ok=True)
    from hilum.inference.memory import remembering

    with locked(study_dir), sealed(study_dir, "hilum study"), remembering():
        course = _Course(study_dir, options, Clock(budget), voice or Silent())
        return _run_in(course, data, recipes, remarks)


@dataclass(frozen=True)
class _Course:
    """What every stage of a study needs beside the images."""

    study_dir: Path
    options: Options
    clock: Clock
    voice: Voice


def _run_in(course: _Course, data: Path | None, recipes: tuple[Recipe, ...], remarks: tuple[str, ...]) -> Study:
    started = now()
    found = _read(course, data, recipes)
    warnings = [*remarks, *found.manifest.facts["warnings"], *rejection_warning(found)]
    tell_data(course.voice, found, warnings)
    options, manifest, images = course.options, found.manifest, len(found.manifest.split("train"))
    if options.recipes is None:
        recipes = tuple(suited(recipe, images, quick=options.quick) for recipe in recipes)
    _audit(course, found)
    outcomes = _run_all(course, recipes, manifest)
    interrupted = any(outcome.interrupted for outcome in outcomes)
    leaderboard, chosen, test = _judge(course, outcomes, manifest, interrupted=interrupted)
    if chosen and not interrupted:
        _inspect(course, chosen, manifest, test_opened=test is not None)
    guards = _guard(course, outcomes, chosen, manifest)
    outcome_facts = {
        "data": "drawn X-rays" if data is None else str(data),
        "device": device_name(options.device),
        "started": started,
        "seconds": round(time.monotonic() - course.clock.started, 1),
        "stages": course.clock.stages,
        "time_budget_s": course.clock.budget,
        "drawn": data is None,
        "chosen_run": chosen,
        "runs": [asdict(outcome) for outcome in outcomes],
        "warnings": warnings,
        "other_openings": find_other_openings(course.study_dir, manifest),
    }
    write_json(course.study_dir / "study.json", study_facts(course.study_dir, manifest, options, outcome_facts))
    with course.clock.stage("report", course.voice):
        report = _write_pages(course.study_dir, outcomes)
    return Study(
        course.study_dir, manifest, leaderboard, chosen, test, found.rejected, report, interrupted, tuple(guards)
    )


def _read(course: _Course, data: Path | None, recipes: Sequence[Recipe]) -> StudyData:
    """The images of `data`, drawn ones where that is None, and a cache of what the recipes see."""
    clock, voice, options = course.clock, course.voice, course.options
    if data is None:
        with clock.stage("drawing X-rays", voice) as bar:
            data = drawn_data(course.study_dir / "drawn", options.seed, bar)
    with clock.stage("data", voice) as bar:
        wanted = [CANVAS, *(preprocessing_of(recipe) for recipe in recipes)]
        return study_data(data, course.study_dir, options, wanted, bar)


def _audit(course: _Course, found: StudyData) -> None:
    with course.clock.stage("audit", course.voice) as bar:
        audit = audit_of(found, course.study_dir, course.options, bar)
    for finding in audit.errors:
        course.voice.warn(finding.sentence)


def _judge(
    course: _Course, outcomes: Sequence[RunOutcome], manifest: Manifest, *, interrupted: bool
) -> tuple[pd.DataFrame, str | None, Evaluation | None]:
    """The leaderboard, the run chosen on validation, and its figures on the test split, which is opened for it."""
    study_dir, options, voice = course.study_dir, course.options, course.voice
    with course.clock.stage("evaluation", voice):
        leaderboard, chosen = leaderboard_of(study_dir, outcomes, options)
        write_csv(study_dir / "leaderboard.csv", leaderboard)
        if chosen is None or interrupted:
            return leaderboard, chosen, None
        test = open_test_split(study_dir, chosen, manifest, options)
        with _no_result_lost(voice, "The gap between validation and test was not taken apart"):
            explain_run(study_dir / chosen, manifest, study_dir, test, options)
    return leaderboard, chosen, test


def _inspect(course: _Course, chosen: str, manifest: Manifest, *, test_opened: bool) -> None:
    run = read_json(course.study_dir / chosen / "environment.json") or {}
    with course.clock.stage("inspection", course.voice) as bar:
        inspect_run(
            course.study_dir,
            chosen,
            manifest,
            course.options,
            test_opened=test_opened,
            seconds=course.clock.for_inspection(run.get("seconds", 0.0)),
            voice=course.voice,
            on_step=bar,
        )


def _guard(
    course: _Course, outcomes: Sequence[RunOutcome], chosen: str | None, manifest: Manifest
) -> list[dict[str, Any]]:
    """What the guards found; that of the data and of the chosen run is said aloud."""
    guards: list[dict[str, Any]] = []
    with (
        course.clock.stage("guards", course.voice),
        _no_result_lost(course.voice, "The guards of the study did not all run"),
    ):
        figured = [outcome.run for outcome in outcomes if outcome.status in ("done", "collapsed")]
        guards = find_study_verdicts(course.study_dir, figured, chosen, manifest, course.options)
    for entry in guards:
        if entry["run"] in ("", chosen):
            course.voice.warn(entry["sentence"])
    return guards


@contextmanager
def _no_result_lost(voice: Voice, words: str) -> Iterator[None]:
    """An extra look that fails is told of; the figures that are there already go into the report all the same."""
    try:
        yield
    except Exception as error:  # whatever it is, the test split is open and its figures must not be lost
        voice.warn(f"{words}: {type(error).__name__}: {' '.join(str(error).split())[:200]}")


def study_facts(study_dir: Path, manifest: Manifest, options: Options, outcome: dict[str, Any]) -> dict[str, Any]:
    """What `study.json` holds: the circumstances, and what came out."""
    labels = manifest.labels
    return {
        "schema": "hilum.study/1",
        "hilum": __version__,
        "name": study_dir.resolve().name,
        "labels_rule": manifest.facts["labels_rule"],
        "command": options.command,
        "seed": options.seed,
        "cores": os.cpu_count(),
        "machine": machine(),
        "labels": list(labels),
        "positive": labels.positive if labels.is_binary else None,
        "versions": versions(),
        "seal": SEAL,
        **outcome,
    }


def _write_pages(study_dir: Path, outcomes: Sequence[RunOutcome]) -> Path:
    from hilum.report import write_card, write_checklist, write_figures, write_report

    for outcome in outcomes:
        if outcome.status in ("done", "collapsed"):
            write_figures(study_dir / outcome.run)
            write_card(study_dir / outcome.run)
    write_checklist(study_dir)
    return write_report(study_dir)


def study_name(data: Path | None, labels: str) -> str:
    """A folder name for a study of some data."""
    if data is None:
        return "drawn"
    resolved = data.resolve()
    name = resolved.name if resolved.is_dir() else f"{resolved.parent.name}"
    return name if labels == "folders" else f"{name}-{labels if labels.isidentifier() else 'labelled'}"


def rejection_warning(found: StudyData) -> list[str]:
    """A sentence about files that could not be used, or none."""
    if not found.rejected:
        return []
    files = "1 file" if found.rejected == 1 else f"{found.rejected} files"
    return [f"{files} could not be used; quarantine.csv names each with a reason."]


def tell_data(voice: Voice, found: StudyData, warnings: Sequence[str]) -> None:
    """Images of each split and class, the rule that patients are told apart by, and what is odd about the data."""
    counts = found.manifest.counts()
    for split, row in counts.iterrows():
        voice.say(f"  {split!s:6} {int(row.sum()):>6,}  " + ", ".join(f"{name} {n:,}" for name, n in row.items()))
    rule = found.manifest.facts["patient_rule"]
    example = rule["examples"][0] if rule["examples"] else None
    patients = found.manifest.table["patient_id"].nunique()
    shown = (
        f" ({Path(example['image_path']).name} -> {example['patient_id']})"
        if example and rule["name"] != "none"
        else ""
    )
    voice.say(f"  {patients:,} patients, by {rule['sentence']}{shown}" if shown else f"  {rule['sentence']}")
    for warning in warnings:
        voice.warn(warning)


def _run_all(course: _Course, recipes: Sequence[Recipe], manifest: Manifest) -> list[RunOutcome]:
    clock, voice = course.clock, course.voice
    outcomes: list[RunOutcome] = []
    for number, recipe in enumerate(recipes):
        if any(outcome.interrupted for outcome in outcomes):
            outcomes.append(RunOutcome(recipe.name, recipe.name, "skipped", "Not trained: the study was interrupted."))
            continue
        left = clock.left()
        share = recipe.time_share / sum(each.time_share for each in recipes[number:])
        with clock.stage(f"run {recipe.name}", voice) as bar:
            seconds = None if left is None else left * share
            outcome = run_recipe(recipe, manifest, course.study_dir, course.options, time_budget=seconds, on_step=bar)
        outcomes.append(outcome)
        if outcome.status != "done":
            voice.warn(f"{recipe.name} {outcome.status}: {outcome.sentence}")
    if all(outcome.status in ("failed", "skipped") for outcome in outcomes):
        raise DataError(
            "study", expected="at least one run that works", found=outcomes[0].sentence if outcomes else "no recipe"
        )
    return outcomes
