"""A recipe on several folds and seeds: figures pooled over folds, their spread over seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hilum.data.manifest import Manifest
from hilum.data.predictions import Predictions, read_predictions
from hilum.data.splits import connected_groups, draw_groups
from hilum.errors import DataError, UsageError
from hilum.evaluation import Evaluation, evaluate, read_evaluations
from hilum.models.weights import file_sha256
from hilum.recipes.schema import Recipe
from hilum.workflow.data import write_csv
from hilum.workflow.options import Options
from hilum.workflow.record import write_json
from hilum.workflow.run import RunOutcome, run_recipe
from hilum.workflow.run_predictions import predict_split
from hilum.workflow.train import Prepared, prepare
from hilum.workflow.voice import Silent, Voice

SCHEMA = "hilum.folds/1"
FOLD = "fold"
"""Split of the images of a fold: kept out of training and of the choice of the best epoch."""

SPREAD = ("accuracy", "balanced_accuracy", "auroc", "log_loss", "brier")


@dataclass(frozen=True)
class Repetition:
    """A recipe trained several times.

    Args:
        folder: has `folds.json`, `runs.csv`, a predictions file for each seed, and the run folders.
        folds: how many; 0 = the one validation split of the manifest.
        runs: one row a run: `run, seed, fold, status, epochs, seconds, images, accuracy, auroc`.
        by_seed: seed -> figures pooled over its folds (each image predicted once, by the network that never saw it), or
            on validation without folds.
        spread: figure -> mean, sd, low, high over the seeds.
    """

    folder: Path
    recipe: Recipe
    folds: int
    runs: pd.DataFrame
    by_seed: dict[int, Evaluation]
    spread: dict[str, dict[str, float]]
    rejected: int = 0
    interrupted: bool = False

    @property
    def headline(self) -> str:
        """One sentence: the pooled figures with their interval, and how far seeds differ."""
        if not self.by_seed:
            return f"{self.recipe.name}: not every fold could be trained, so nothing is pooled."
        evaluation = next(iter(self.by_seed.values()))
        where = f"pooled over {self.folds} folds" if self.folds else "on validation"
        accuracy, auroc = evaluation.overall["accuracy"], evaluation.overall["auroc"]
        sentence = (
            f"{self.recipe.name} {where}, {evaluation.images:,} images: accuracy {accuracy.value:.3f} "
            f"[{accuracy.ci_low:.3f}, {accuracy.ci_high:.3f}], "
            f"AUROC {auroc.value:.3f} [{auroc.ci_low:.3f}, {auroc.ci_high:.3f}]"
        )
        if len(self.by_seed) < 2:
            return f"{sentence}."
        spread = self.spread["accuracy"]
        return (
            f"{sentence} with seed {next(iter(self.by_seed))}; over {len(self.by_seed)} seeds the accuracy is "
            f"{spread['mean']:.3f} with a standard deviation of {spread['sd']:.3f}, "
            f"from {spread['low']:.3f} to {spread['high']:.3f}."
        )


def repeat_recipe(
    recipe: Recipe, data: Path, options: Options, *, folds: int = 0, seeds: int = 1, voice: Voice | None = None
) -> Repetition:
    """Trains a recipe on every fold with every seed; running it again takes what is finished.

    The folds are of whole patients, stratified by class, and of all images that are not test. A network stops on an
    inner validation set of its own, so the images of its fold are new to it. Seeds change weights, order and
    augmentation; the folds are the same for all of them.

    Args:
        folds: at least 2, or 0 for the one validation split.
        seeds: how many, from `options.seed` on.

    Raises:
        HilumError: no usable data, a wrong option, or a class with too few patients.
    """
    if folds == 1 or folds < 0 or seeds < 1:
        raise UsageError("--folds, --seeds", expected="2 folds or more, 1 seed or more", found=f"{folds}, {seeds}")
    voice = voice or Silent()
    with prepare(recipe, data, options, voice) as prepared:
        manifests = [prepared.manifest] if not folds else make_folds(prepared.manifest, folds, options)
        name = recipe.name + (f"-folds{folds}" if folds else "") + (f"-seeds{seeds}" if seeds > 1 else "")
        rows, outcomes = [], list[RunOutcome]()
        todo = [(seed, fold) for seed in range(options.seed, options.seed + seeds) for fold in range(len(manifests))]
        for number, (seed, fold) in enumerate(todo):
            run = f"{name}/seed-{seed}" + (f"-fold-{fold + 1}" if folds else "")
            own = replace(options, seed=seed)
            with voice.stage(f"run {run}") as bar:
                outcome = run_recipe(
                    recipe, manifests[fold], prepared.study_dir, own,
                    time_budget=prepared.seconds_left(len(todo) - number), on_step=bar, run=run,
                    say=voice.say if not number else None,
                )  # fmt: skip
            outcomes.append(outcome)
            if outcome.interrupted:
                break
            rows.append(_row(outcome, seed, fold, manifests[fold], prepared.study_dir, own, folds))
            if outcome.status != "done":
                voice.warn(f"{run} {outcome.status}: {outcome.sentence}")
        interrupted = any(outcome.interrupted for outcome in outcomes)
        return _summarise(recipe, name, prepared, options, folds, seeds, pd.DataFrame(rows), interrupted)


def make_folds(manifest: Manifest, folds: int, options: Options) -> list[Manifest]:
    """The manifest once for each fold: its images in the split `fold`, the others train and validate.

    Images of one patient, and identical files, stay together; the test split stays as it is and is left alone.

    Raises:
        DataError: a class with fewer patients than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    pool = manifest.table["split"] != "test"
    rows = manifest.table[pool]
    labels, groups = rows["label"].to_numpy(), connected_groups(rows["patient_id"], rows["sha256"])
    for label in manifest.labels:
        patients = len(np.unique(groups[labels == label]))
        if patients < folds + 1:
            raise DataError(
                f"class {label}", expected=f"at least {folds + 1} patients for {folds} folds", found=f"{patients}"
            )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=options.seed)
    made = []
    for number, (rest, held) in enumerate(splitter.split(labels, labels, groups)):
        split = np.full(len(rows), "train", dtype=object)
        split[held] = FOLD
        inner = draw_groups(labels[rest], groups[rest], options.val_fraction, options.seed + 1)
        split[rest[inner]] = "val"
        table = manifest.table.copy()
        table.loc[pool, "split"] = split
        made.append(manifest.with_table(table, split_rule=f"Fold {number + 1} of {folds}, patient by patient."))
    return made


def _row(
    outcome: RunOutcome, seed: int, fold: int, manifest: Manifest, study_dir: Path, options: Options, folds: int
) -> dict[str, Any]:
    """A run's line; predicts its fold where there is one."""
    run_dir, row = study_dir / outcome.run, {"run": outcome.run, "seed": seed, "fold": fold + 1 if folds else 0}
    row |= {"status": outcome.status, "images": 0, "accuracy": np.nan, "auroc": np.nan}
    if outcome.status not in ("done", "collapsed"):
        return row
    if folds:
        path = predict_split(run_dir, manifest, study_dir, FOLD, options)
        evaluation = evaluate(read_predictions(path), seed=seed, replicates=options.replicates)
    else:
        evaluation = read_evaluations(run_dir / "metrics.json")["val"]
    figures = {name: evaluation.overall[name].value for name in ("accuracy", "auroc")}
    return row | {"images": evaluation.images, **figures}


def _summarise(
    recipe: Recipe,
    name: str,
    prepared: Prepared,
    options: Options,
    folds: int,
    seeds: int,
    runs: pd.DataFrame,
    interrupted: bool,
) -> Repetition:
    folder, by_seed, files = prepared.study_dir / name, dict[int, Evaluation](), dict[int, str]()
    for seed in range(options.seed, options.seed + seeds):
        path = _pool(folder, prepared.study_dir, runs, seed, max(folds, 1), FOLD if folds else "val")
        if path is not None:
            source = {"predictions": f"{name}/{path.name}", "predictions_sha256": file_sha256(path)}
            by_seed[seed] = evaluate(
                read_predictions(path), seed=options.seed, replicates=options.replicates, source=source
            )
            files[seed] = path.name
    spread = spread_of(list(by_seed.values()))
    write_csv(folder / "runs.csv", runs)
    document = {
        "schema": SCHEMA,
        "recipe": recipe.name,
        "folds": folds,
        "manifest": prepared.manifest.fingerprint,
        "runs": runs.astype(object).where(runs.notna(), None).to_dict("records"),
        "seeds": [
            {"seed": seed, "predictions": files[seed], "pooled": evaluation.to_json()}
            for seed, evaluation in by_seed.items()
        ],
        "spread": spread,
    }
    write_json(folder / "folds.json", document)
    return Repetition(folder, recipe, folds, runs, by_seed, spread, prepared.rejected, interrupted)


def _pool(folder: Path, study_dir: Path, runs: pd.DataFrame, seed: int, wanted: int, split: str) -> Path | None:
    """One predictions file of all folds of a seed; None unless every one of them is there."""
    usable = runs[(runs["seed"] == seed) & runs["status"].isin(["done", "collapsed"])] if len(runs) else runs
    if len(usable) < wanted:
        return None
    parts = [read_predictions(study_dir / run / f"predictions-{split}.parquet") for run in usable["run"]]
    about = {**parts[0].about, "model": "one a fold", "models": [part.about["model_sha256"] for part in parts]}
    path = folder / f"predictions-seed-{seed}.parquet"
    pooled = pd.concat([part.table for part in parts], ignore_index=True)
    Predictions(pooled, parts[0].labels, {**about, "model_sha256": None} if len(parts) > 1 else about).write(path)
    return path


def spread_of(evaluations: list[Evaluation]) -> dict[str, dict[str, float]]:
    """Figure -> mean, sd (of a sample), low and high over the seeds; empty for a single one."""
    if len(evaluations) < 2:
        return {}
    values = {name: np.array([each.overall[name].value for each in evaluations]) for name in SPREAD}
    return {
        name: {
            "mean": float(each.mean()),
            "sd": float(each.std(ddof=1)),
            "low": float(each.min()),
            "high": float(each.max()),
        }
        for name, each in values.items()
    }
