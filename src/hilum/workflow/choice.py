"""The choice on validation, and the one place where a study opens its test split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hilum.data.manifest import Manifest
from hilum.data.predictions import read_predictions
from hilum.evaluation import (
    Entry,
    Evaluation,
    build_leaderboard,
    choose_run,
    compare,
    read_evaluations,
    read_ledger,
    record_opening,
    record_predictions,
)
from hilum.models.weights import file_sha256
from hilum.workflow.arms import settings_apart
from hilum.workflow.calibrate import add_points
from hilum.workflow.options import Options
from hilum.workflow.record import read_json, write_json
from hilum.workflow.run import RunOutcome
from hilum.workflow.run_predictions import add_evaluation, predict_split

COMPARISON = "comparison.json"


def leaderboard_of(
    study_dir: Path, outcomes: Sequence[RunOutcome], options: Options
) -> tuple[pd.DataFrame, str | None]:
    """The table of runs, best on validation first, and the run that is chosen.

    Runs that are done are also compared in pairs, which `comparison.json` holds.
    """
    entries = [entry_of(study_dir / outcome.run, outcome) for outcome in outcomes]
    done = [entry.run for entry in entries if entry.outcome == "done"]
    if not done:
        (study_dir / COMPARISON).unlink(missing_ok=True)
        return build_leaderboard(entries), choose_run(entries)
    predictions = {run: read_predictions(study_dir / run / "predictions-val.parquet") for run in done}
    compared = compare(predictions, replicates=options.replicates, seed=options.seed)
    apart = settings_apart(compared.runs, {run: study_dir / run for run in done})
    write_json(study_dir / COMPARISON, {**compared.to_json(), "settings": apart})
    return build_leaderboard(entries, compared.groups), choose_run(entries)


def entry_of(run_dir: Path, outcome: RunOutcome) -> Entry:
    """A run's line of the leaderboard, from the files of its folder."""
    environment = read_json(run_dir / "environment.json") or {}
    recipe = read_json(run_dir / "recipe.json") or {}
    metrics = run_dir / "metrics.json"
    usable = outcome.status in ("done", "collapsed") and metrics.exists()
    weights = environment.get("weights")
    return Entry(
        run=outcome.run,
        recipe=outcome.recipe,
        model=recipe.get("model", {}).get("name", ""),
        weights=weights["name"] if weights else "none",
        parameters=environment.get("parameters"),
        status=outcome.status,
        epochs=environment.get("epochs_done"),
        seconds=environment.get("seconds"),
        validation=read_evaluations(metrics)["val"] if usable else None,
    )


def open_test_split(study_dir: Path, run: str, manifest: Manifest, options: Options) -> Evaluation:
    """Evaluates a run on the test split; the opening is in the ledger before anything is predicted.

    A test split that this very model file has already been evaluated on is not opened again.
    """
    run_dir = study_dir / run
    model_sha256, path = file_sha256(run_dir / "model.safetensors"), run_dir / "predictions-test.parquet"
    # The same model may have been opened on other data since: only what this file came from counts.
    already = {entry.predictions_sha256 for entry in read_ledger(study_dir) if entry.model_sha256 == model_sha256}
    if path.exists() and file_sha256(path) in already:
        known = read_evaluations(run_dir / "metrics.json")
        if "test" in known:
            return known["test"]
        add_points(run_dir, "test")
        return add_evaluation(run_dir, "test", options)
    opening = record_opening(
        study_dir,
        run=run,
        recipe=(read_json(run_dir / "recipe.json") or {}).get("name", run),
        model_sha256=model_sha256,
        predictions=f"{run}/{path.name}",
        images=len(manifest.split("test")),
        reason="chosen on validation",
    )
    predict_split(run_dir, manifest, study_dir, "test", options)
    record_predictions(study_dir, opening, file_sha256(path))
    add_points(run_dir, "test")
    return add_evaluation(run_dir, "test", options)
