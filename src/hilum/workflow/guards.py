"""All guards of a study, run after its evaluation; what they find goes to `guards.json` and from there to the page."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hilum.data.manifest import Manifest
from hilum.data.predictions import read_predictions
from hilum.evaluation import integrity
from hilum.evaluation.values import Verdict, read_evaluations
from hilum.workflow.options import Options
from hilum.workflow.record import read_json, write_json
from hilum.workflow.rescore import check_saved_model

GUARDS = "guards.json"
SCHEMA = "hilum.guards/1"


def find_study_verdicts(
    study_dir: Path, runs: Sequence[str], chosen: str | None, manifest: Manifest, options: Options
) -> list[dict[str, Any]]:
    """Runs every guard and writes `guards.json`.

    Args:
        runs: folders of the runs that have figures.
        chosen: the run whose saved model is loaded again in a new process.

    Returns:
        One entry a finding: `run` (empty where it is about the data), `code`, `severity`, `sentence`.
    """
    found = verdicts_of_files(study_dir, runs, manifest)
    if chosen is not None:
        found += [(chosen, verdict) for verdict in check_saved_model(study_dir, chosen, device=options.device)]
    entries = [{"run": run, **asdict(verdict)} for run, verdict in found]
    write_json(study_dir / GUARDS, {"schema": SCHEMA, "chosen": chosen, "rescored": chosen, "findings": entries})
    return entries


def verdicts_of_files(study_dir: Path, runs: Sequence[str], manifest: Manifest) -> list[tuple[str, Verdict]]:
    """What the guards say that look at files only: each with its run, empty where it is about the data."""
    found = [("", verdict) for verdict in integrity.find_shared(manifest.table)]
    for run in runs:
        found += [(run, verdict) for verdict in _of_run(study_dir / run, manifest)]
    predictions = {run: read_predictions(study_dir / run / "predictions-val.parquet") for run in runs}
    return [*found, *(("", verdict) for verdict in integrity.find_identical(predictions))]


def _of_run(run_dir: Path, manifest: Manifest) -> Iterator[Verdict]:
    evaluations = read_evaluations(run_dir / "metrics.json")
    recipe, environment = (read_json(run_dir / f"{name}.json") or {} for name in ("recipe", "environment"))
    history = _history(run_dir / "history.csv")
    for split, evaluation in evaluations.items():
        rows = manifest.split(split)
        predictions = read_predictions(run_dir / f"predictions-{split}.parquet")
        yield from integrity.find_unkeyed(predictions, rows)
        yield from integrity.find_support(evaluation, rows["label"].value_counts().to_dict())
        accuracy = evaluation.overall["accuracy"].value
        yield from integrity.find_matrix_disagreement(evaluation.confusion, accuracy, predictions)
        yield from integrity.find_too_good(evaluation)
        yield from integrity.find_few(evaluation)
    if "val" in evaluations:
        yield from integrity.find_unlogged(history, evaluations["val"])
    phases = recipe.get("phases", [])
    schedules = [phase.get("schedule", "constant") for phase in phases]
    yield from integrity.find_unannealed(history, schedules, environment.get("stopped", ""))
    model = recipe.get("model", {})
    yield from integrity.find_not_pretrained(
        recipe.get("name", run_dir.name),
        recipe.get("description", ""),
        [phase.get("train", "all") for phase in phases],
        model.get("weights", "none"),
    )


def _history(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
