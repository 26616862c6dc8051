"""One recipe on one manifest -> a run folder. This module is where a Recipe becomes networks and numbers."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hilum.data.build import open_cache
from hilum.data.cache import READER, CanvasCache
from hilum.data.manifest import Manifest
from hilum.data.predictions import Predictions
from hilum.errors import HilumError, OutOfTime
from hilum.evaluation import Evaluation, evaluate, read_evaluations, write_evaluations
from hilum.models.weights import file_sha256, find_local_snapshot
from hilum.recipes.convert import from_json, to_json
from hilum.recipes.schema import Recipe
from hilum.transforms import Preprocessing
from hilum.workflow.calibrate import calibrate_run
from hilum.workflow.elsewhere import predict_elsewhere
from hilum.workflow.gate import fit_run_gate
from hilum.workflow.network import network_of, phases_of, preprocessing_of, settings_of
from hilum.workflow.options import CPU_BUDGET, Options
from hilum.workflow.policy import PolicyChoice, choose_policy, describe_gain
from hilum.workflow.record import digest_of, now, read_json, versions, write_json
from hilum.workflow.several import alone, announce

if TYPE_CHECKING:
    from hilum.models import Classifier
    from hilum.training.fit import FitResult

__all__ = ["RunOutcome", "add_evaluation", "predict_split", "preprocessing_of", "run_recipe"]


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Args:
        run: name of its folder.
        status: `done`, `collapsed`, `failed` or `skipped`.
        sentence: why, or what came of it.
        interrupted: Ctrl-C was pressed.
    """

    run: str
    recipe: str
    status: str
    sentence: str
    interrupted: bool = False


def run_recipe(
    recipe: Recipe,
    manifest: Manifest,
    study_dir: Path,
    options: Options,
    *,
    time_budget: float | None,
    on_step: Callable[[int, int, str], None],
    run: str | None = None,
    say: Callable[[str], None] | None = None,
    allow: Collection[str] = (),
    on_epoch: Callable[[list[dict[str, Any]]], None] | None = None,
) -> RunOutcome:
    """Trains, predicts validation, evaluates it; whatever goes wrong becomes an outcome, never an end of the study.

    A run that finished earlier with the same recipe, data, seed and weights is taken as it is.

    Args:
        run: the run's folder below `study_dir`; the recipe's name when None.
        say: told before training which stages each phase trains, and afterwards what was noted.
        allow: guards of `hilum.models.stages.set_trained_stages` that are lifted on purpose.
        on_epoch: called after each epoch with the history so far; a HilumError that it raises fails the run.
    """
    recipe = from_json(to_json(recipe))  # 1 and 1.0 are one recipe
    run = run or recipe.name
    run_dir = study_dir / run
    weights = _weights_digest(recipe, options)
    identity = digest_of(to_json(recipe), manifest.fingerprint, options.seed, READER, weights, *sorted(allow))
    finished = _finished(run, run_dir, identity, options)
    if finished is not None:
        return finished
    _make_room(run_dir, identity, recipe, manifest, options)
    try:
        environment = _train(recipe, manifest, run_dir, study_dir, options, time_budget, on_step, say, allow, on_epoch)
        if environment["interrupted"] and not environment["epochs_done"]:
            return RunOutcome(run, recipe.name, "skipped", "Interrupted before its first epoch had ended.", True)
        evaluation = add_evaluation(run_dir, "val", options)
    except OutOfTime as error:
        return RunOutcome(run, recipe.name, "skipped", str(error))
    except HilumError as error:
        return RunOutcome(run, recipe.name, "failed", str(error))
    except Exception as error:  # a study of many recipes must not lose the others to one
        (run_dir / "error.txt").write_text(traceback.format_exc())
        sentence = f"An unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]} (see error.txt)"
        return RunOutcome(run, recipe.name, "failed", sentence)
    write_json(run_dir / "environment.json", {**environment, "identity": identity})
    _add_card(run_dir, say)
    if not environment["interrupted"]:  # else the same command goes on from there
        shutil.rmtree(run_dir / "checkpoints", ignore_errors=True)
    return _outcome(run, evaluation, environment)


def _add_card(run_dir: Path, say: Callable[[str], None] | None) -> None:
    """Writes the model card; a run that is trained and evaluated is not lost to one."""
    from hilum.report.card import write_card

    try:
        write_card(run_dir)
    except Exception as error:  # the run itself is whole
        why = " ".join(str(error).split())[:200]
        _say(say, f"  The model card could not be written: {type(error).__name__}: {why}")


def _weights_digest(recipe: Recipe, options: Options) -> str:
    """Changes with the pre-trained weights that a recipe starts from, as far as they lie on this machine."""
    if recipe.model.weights == "none":
        return ""
    snapshot = find_local_snapshot(recipe.model.name, options.weights_dir)
    return snapshot.provenance()["sha256"] if snapshot else ""


def _finished(run: str, run_dir: Path, identity: str, options: Options) -> RunOutcome | None:
    environment = read_json(run_dir / "environment.json")
    if not environment or environment.get("identity") != identity or environment.get("interrupted"):
        return None
    if environment.get("shortened") and _more_time(environment.get("study_budget_s"), options):
        return None
    needed = ("model.safetensors", "predictions-val.parquet", "metrics.json", "history.csv")
    if not all((run_dir / name).exists() for name in needed):
        return None
    return _outcome(run, _evaluation_as_asked(run_dir, options), environment)


def _evaluation_as_asked(run_dir: Path, options: Options) -> Evaluation:
    """The figures on validation of a finished run; made anew where the intervals are to rest on other redraws."""
    known = read_evaluations(run_dir / "metrics.json")
    asked = {"seed": options.seed, "replicates": options.replicates}
    for split, evaluation in known.items():
        if any(evaluation.source.get(name) != value for name, value in asked.items()):
            fresh = add_evaluation(run_dir, split, options, keep=True)
            known[split] = fresh
    return known["val"]


def _more_time(before: float | None, options: Options) -> bool:
    """Whether this call gives a study a good deal more time than the one that had to shorten a run."""
    return options.time_budget is not None and options.time_budget > 1.2 * (before or CPU_BUDGET)


def _outcome(name: str, evaluation: Evaluation, environment: dict[str, Any]) -> RunOutcome:
    broken = [verdict for verdict in evaluation.verdicts if verdict.severity == "error"]
    status = "collapsed" if broken else "done"
    sentence = broken[0].sentence if broken else environment["stopped"]
    return RunOutcome(name, environment["recipe"], status, sentence, environment["interrupted"])


def _make_room(run_dir: Path, identity: str, recipe: Recipe, manifest: Manifest, options: Options) -> None:
    """Keeps what a killed run of the same kind left; puts anything else aside, for it may be somebody's work."""
    begun = read_json(run_dir / "begun.json")
    if run_dir.exists() and (not begun or begun["identity"] != identity):
        aside = next(place for n in count(1) if not (place := run_dir.with_name(f"{run_dir.name}.before-{n}")).exists())
        run_dir.rename(aside)
    run_dir.mkdir(parents=True, exist_ok=True)
    if not (run_dir / "begun.json").exists():
        begun = {"identity": identity, "time": now(), "recipe": to_json(recipe), "manifest": manifest.fingerprint}
        write_json(run_dir / "begun.json", {**begun, "options": options.of_a_run()})


def _train(
    recipe: Recipe,
    manifest: Manifest,
    run_dir: Path,
    study_dir: Path,
    options: Options,
    time_budget: float | None,
    on_step: Callable[[int, int, str], None],
    say: Callable[[str], None] | None,
    allow: Collection[str],
    on_epoch: Callable[[list[dict[str, Any]]], None] | None,
) -> dict[str, Any]:
    """Trains, saves the model file, predicts validation with it; returns what `environment.json` is to hold."""
    from hilum.inference.device import choose_device
    from hilum.training.fit import fit
    from hilum.training.keeper import Interrupted
    from hilum.training.loggers import make_loggers
    from hilum.training.processes import leave
    from hilum.training.stage_plan import stages_of_phases
    from hilum.workflow.distil import Teaching, with_soft_targets

    started = time.monotonic()
    model, preprocessing = network_of(recipe, manifest, options)
    phases, settings, device = phases_of(recipe), settings_of(recipe, options), choose_device(options.device)
    planned = stages_of_phases(model, phases)
    for number, each in enumerate(planned, start=1):
        _say(say, f"  phase {number} of {len(planned)} {each}")
    resolved = {**to_json(recipe), "preprocessing": preprocessing.to_json()}
    write_json(run_dir / "recipe.json", resolved)
    cache = open_cache(manifest, preprocessing, study_dir / "cache")
    train, val = examples_of(manifest, cache, "train"), examples_of(manifest, cache, "val")
    try:
        teaching = Teaching(recipe, manifest, cache, run_dir, options, device, time_budget, on_step)
        with alone():
            train, taught, time_budget = with_soft_targets(teaching, train, val)
    except Interrupted:
        return {"interrupted": True, "epochs_done": 0}
    about = {"study_dir": str(study_dir), "run": run_dir.relative_to(study_dir).as_posix(), "time_budget": time_budget}
    together = announce({**about, "soft": train.soft, "allow": tuple(allow)}, options.device)
    try:
        result = fit(
            model,
            train,
            val,
            preprocessing=preprocessing,
            phases=phases,
            settings=settings,
            run_dir=run_dir,
            device=device,
            time_budget=time_budget,
            loggers=make_loggers(options.loggers, run_dir),
            on_step=on_step,
            allow=allow,
            on_epoch=on_epoch,
        )
    finally:
        if together:
            leave()
    result.notes.extend([taught] if taught else [])
    rows = manifest.split("val")
    choice = choose_policy(
        recipe, model, preprocessing, val.inputs, rows, val.targets,
        seed=options.seed, replicates=options.replicates, device=device,
    )  # fmt: skip
    notes = [*choice.warnings, *([describe_gain(choice, len(rows))] if choice.table else [])]
    result.notes.extend(notes)
    for note in result.notes:
        _say(say, f"  {note}")
    _save(recipe, model, preprocessing, resolved, manifest, run_dir, choice, options)
    result.notes.extend(filter(None, [fit_run_gate(run_dir, manifest, cache, options)]))
    predict_split(run_dir, manifest, study_dir, "val", options)
    predict_elsewhere(run_dir, rows, cache.of(rows), manifest.labels, options.device)
    calibrate_run(run_dir, manifest, cache.of(manifest.split("train")))
    for note in _classify_by_neighbors(recipe, manifest, study_dir, run_dir, options):
        result.notes.append(note)
        _say(say, f"  {note}")
    seconds = time.monotonic() - started
    return {
        **_environment(recipe, model, result, options, seconds),
        "phases": [{"train": each.train, "stages": each.stages} for each in planned],
        "tta": list(choice.table),
    }


def _say(say: Callable[[str], None] | None, line: str) -> None:
    if say is not None:
        say(line)


def _classify_by_neighbors(
    recipe: Recipe, manifest: Manifest, study_dir: Path, run_dir: Path, options: Options
) -> list[str]:
    """The k-NN that a recipe ends in, on validation; its figures in words."""
    if recipe.neighbors is None:
        return []
    from hilum.workflow.inspect_neighbors import describe_validation, neighbors_of_run

    run = run_dir.relative_to(study_dir).as_posix()
    return [describe_validation(*neighbors_of_run(study_dir, run, manifest, options, recipe.neighbors))]


def _save(
    recipe: Recipe,
    model: Classifier,
    preprocessing: Preprocessing,
    resolved: dict[str, Any],
    manifest: Manifest,
    run_dir: Path,
    choice: PolicyChoice,
    options: Options,
) -> None:
    from hilum.models import save_model

    save_model(
        run_dir / "model.safetensors",
        model,
        labels=manifest.labels.names,
        preprocessing=preprocessing.to_json(),
        recipe=resolved,
        fingerprint=manifest.fingerprint,
        extras={"tta": [view.to_json() for view in choice.views], "tta_seed": options.seed},
    )


def _environment(
    recipe: Recipe, model: Classifier, result: FitResult, options: Options, seconds: float
) -> dict[str, Any]:
    from hilum.models.stages import stage_table

    stages = stage_table(model)
    return {
        "recipe": recipe.name,
        "model": recipe.model.name,
        "stages": stages,
        "parameters": sum(stage["parameters"] for stage in stages),
        "trained_parameters": sum(stage["trained_parameters"] for stage in stages),
        "batch_size": result.batch_size,
        "precision": result.precision,
        "epochs_planned": result.epochs_planned,
        "epochs_done": len(result.history),
        "best_epoch": result.best_epoch,
        "seconds": seconds,
        "images_per_second": result.images_per_second,
        "stopped": result.stopped,
        "interrupted": result.interrupted,
        "weights": model.weights,
        "notes": result.notes,
        "shortened": result.epochs_planned < sum(phase.max_epochs for phase in recipe.phases),
        "study_budget_s": options.time_budget,
        "versions": versions(),
    }


def examples_of(manifest: Manifest, cache: CanvasCache, split: str) -> Any:
    """The canvases and targets of a split, for training."""
    from hilum.training.datamodule import Examples

    rows = manifest.split(split)
    return Examples(cache.of(rows), manifest.labels.encode(rows["label"].tolist()).astype(np.int64))


def predict_split(run_dir: Path, manifest: Manifest, study_dir: Path, split: str, options: Options) -> Path:
    """Predicts a split with the saved model file, in one pass, and writes the predictions file.

    The model is read back from its file: what is evaluated is what a user will load, its temperature included. Only
    validation, which the temperature is fitted on, is predicted without it.
    """
    from hilum.inference.device import choose_device
    from hilum.inference.predict import predict_logits
    from hilum.models import load_model

    model, header = load_model(run_dir / "model.safetensors", labels=manifest.labels.names)
    preprocessing = Preprocessing(**header.preprocessing)
    rows = manifest.split(split)
    canvases = open_cache(manifest, preprocessing, study_dir / "cache").of(rows)
    views, device = header.extras["tta"], choose_device(options.device)
    view_seed = header.extras.get("tta_seed", 0)
    engine: list[str] = []
    logits = predict_logits(
        model, canvases, preprocessing, views=views, view_seed=view_seed, device=device, on_engine=engine.append
    )
    temperature = 1.0 if split == "val" else float(header.extras.get("temperature", 1.0))
    about = {
        "model": f"{run_dir.name}/model.safetensors",
        "model_sha256": file_sha256(run_dir / "model.safetensors"),
        "manifest": manifest.fingerprint,
        "tta": list(views),
        "tta_seed": view_seed,
        "temperature": temperature,
        "engine": engine[0],
        "made": now(),
    }
    path = run_dir / f"predictions-{split}.parquet"
    Predictions.of(rows, logits / temperature, manifest.labels, **about).write(path)
    return path


def add_evaluation(run_dir: Path, split: str, options: Options, *, keep: bool = False) -> Evaluation:
    """Evaluates a predictions file of a run and adds the figures to its `metrics.json`.

    Args:
        keep: leave the figures on other splits although these are of validation.
    """
    from hilum.data.predictions import read_predictions

    path = run_dir / f"predictions-{split}.parquet"
    source = {"predictions": f"{run_dir.name}/{path.name}", "predictions_sha256": file_sha256(path)}
    evaluation = evaluate(read_predictions(path), seed=options.seed, replicates=options.replicates, source=source)
    metrics = run_dir / "metrics.json"
    # A new evaluation on validation is one of a new model: what an older one did on test is not this one's.
    known = read_evaluations(metrics) if metrics.exists() and (keep or split != "val") else {}
    write_evaluations(metrics, {**known, split: evaluation})
    return evaluation
