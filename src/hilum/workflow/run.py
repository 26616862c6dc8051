"""One recipe on one manifest -> a run folder. This module is where a Recipe becomes networks and numbers."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
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
from hilum.recipes.convert import to_json
from hilum.recipes.schema import Recipe
from hilum.transforms import Augmentation, Preprocessing
from hilum.workflow.options import CPU_BUDGET, Options
from hilum.workflow.record import digest_of, now, read_json, versions, write_json

if TYPE_CHECKING:
    from hilum.models import Classifier
    from hilum.training.fit import FitResult, Settings


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


def preprocessing_of(recipe: Recipe) -> Preprocessing:
    """A recipe's preprocessing as the value that the code applies."""
    return Preprocessing(**asdict(recipe.preprocessing))


def run_recipe(
    recipe: Recipe,
    manifest: Manifest,
    study_dir: Path,
    options: Options,
    *,
    time_budget: float | None,
    on_step: Callable[[int, int, str], None],
) -> RunOutcome:
    """Trains, predicts validation, evaluates it; whatever goes wrong becomes an outcome, never an end of the study.

    A run that finished earlier with the same recipe, data, seed and weights is taken as it is.
    """
    run_dir = study_dir / recipe.name
    identity = digest_of(to_json(recipe), manifest.fingerprint, options.seed, READER, _weights_digest(recipe, options))
    finished = _finished(run_dir, identity, options)
    if finished is not None:
        return finished
    _make_room(run_dir, identity)
    try:
        environment = _train(recipe, manifest, run_dir, study_dir, options, time_budget, on_step)
        if environment["interrupted"] and not environment["epochs_done"]:
            return RunOutcome(
                recipe.name, recipe.name, "skipped", "Interrupted before its first epoch had ended.", True
            )
        evaluation = add_evaluation(run_dir, "val", options)
    except OutOfTime as error:
        return RunOutcome(recipe.name, recipe.name, "skipped", str(error))
    except HilumError as error:
        return RunOutcome(recipe.name, recipe.name, "failed", str(error))
    except Exception as error:  # a study of many recipes must not lose the others to one
        (run_dir / "error.txt").write_text(traceback.format_exc())
        sentence = f"An unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]} (see error.txt)"
        return RunOutcome(recipe.name, recipe.name, "failed", sentence)
    write_json(run_dir / "environment.json", {**environment, "identity": identity})
    if not environment["interrupted"]:  # else the same command goes on from there
        shutil.rmtree(run_dir / "checkpoints", ignore_errors=True)
    return _outcome(recipe.name, evaluation, environment)


def _weights_digest(recipe: Recipe, options: Options) -> str:
    """Changes with the pre-trained weights that a recipe starts from, as far as they lie on this machine."""
    if recipe.model.weights == "none":
        return ""
    snapshot = find_local_snapshot(recipe.model.name, options.weights_dir)
    return snapshot.provenance()["sha256"] if snapshot else ""


def _finished(run_dir: Path, identity: str, options: Options) -> RunOutcome | None:
    environment = read_json(run_dir / "environment.json")
    if not environment or environment.get("identity") != identity or environment.get("interrupted"):
        return None
    if environment.get("shortened") and _more_time(environment.get("study_budget_s"), options):
        return None
    needed = ("model.safetensors", "predictions-val.parquet", "metrics.json", "history.csv")
    if not all((run_dir / name).exists() for name in needed):
        return None
    return _outcome(run_dir.name, read_evaluations(run_dir / "metrics.json")["val"], environment)


def _more_time(before: float | None, options: Options) -> bool:
    """Whether this call gives a study a good deal more time than the one that had to shorten a run."""
    return options.time_budget is not None and options.time_budget > 1.2 * (before or CPU_BUDGET)


def _outcome(name: str, evaluation: Evaluation, environment: dict[str, Any]) -> RunOutcome:
    broken = [verdict for verdict in evaluation.verdicts if verdict.severity == "error"]
    status = "collapsed" if broken else "done"
    sentence = broken[0].sentence if broken else environment["stopped"]
    return RunOutcome(name, environment["recipe"], status, sentence, environment["interrupted"])


def _make_room(run_dir: Path, identity: str) -> None:
    """Keeps what a killed run of the same kind left; puts anything else aside, for it may be somebody's work."""
    begun = read_json(run_dir / "begun.json")
    if run_dir.exists() and (not begun or begun["identity"] != identity):
        aside = next(place for n in count(1) if not (place := run_dir.with_name(f"{run_dir.name}.before-{n}")).exists())
        run_dir.rename(aside)
    run_dir.mkdir(parents=True, exist_ok=True)
    if not (run_dir / "begun.json").exists():
        write_json(run_dir / "begun.json", {"identity": identity, "time": now()})


def _train(
    recipe: Recipe,
    manifest: Manifest,
    run_dir: Path,
    study_dir: Path,
    options: Options,
    time_budget: float | None,
    on_step: Callable[[int, int, str], None],
) -> dict[str, Any]:
    """Trains, saves the model file, predicts validation with it; returns what `environment.json` is to hold."""
    from hilum.inference.device import choose_device
    from hilum.models import save_model
    from hilum.training.fit import fit
    from hilum.training.loggers import make_loggers
    from hilum.training.phase import Phase

    started = time.monotonic()
    model, preprocessing = _network(recipe, manifest, options)
    resolved = {**to_json(recipe), "preprocessing": preprocessing.to_json()}
    write_json(run_dir / "recipe.json", resolved)
    cache = open_cache(manifest, preprocessing, study_dir / "cache")
    result = fit(
        model,
        _examples(manifest, cache, "train"),
        _examples(manifest, cache, "val"),
        preprocessing=preprocessing,
        phases=[Phase(**asdict(phase)) for phase in recipe.phases],
        settings=_settings(recipe, options),
        run_dir=run_dir,
        device=choose_device(options.device),
        time_budget=time_budget,
        loggers=make_loggers(options.loggers, run_dir),
        on_step=on_step,
    )
    save_model(
        run_dir / "model.safetensors",
        model,
        labels=manifest.labels.names,
        preprocessing=preprocessing.to_json(),
        recipe=resolved,
        fingerprint=manifest.fingerprint,
        extras={"tta": list(recipe.tta)},
    )
    predict_split(run_dir, manifest, study_dir, "val", options)
    return _environment(recipe, model, result, options, time.monotonic() - started)


def _network(recipe: Recipe, manifest: Manifest, options: Options) -> tuple[Classifier, Preprocessing]:
    """The recipe's network, and the preprocessing that it and its weights want."""
    from hilum.models import create_model

    preprocessing = preprocessing_of(recipe)
    model = create_model(
        recipe.model.name,
        num_classes=len(manifest.labels),
        in_channels=preprocessing.channels,
        image_size=preprocessing.image_size,
        weights=recipe.model.weights,
        weights_dir=options.weights_dir,
        dropout=recipe.model.dropout,
        hidden=recipe.model.hidden,
        seed=options.seed,
    )
    if model.weights and model.weights["normalisation"]:
        # A pre-trained network wants the numbers that it was trained with, whatever the recipe's default says.
        preprocessing = replace(preprocessing, normalisation=model.weights["normalisation"])
    return model, preprocessing


def _settings(recipe: Recipe, options: Options) -> Settings:
    from hilum.training.work import Settings

    return Settings(
        augmentation=Augmentation(**asdict(recipe.augmentation)),
        balance=recipe.balance,
        label_smoothing=recipe.label_smoothing,
        ema=recipe.ema,
        batch_size=recipe.batch_size,
        precision=recipe.precision,
        overfit_check=recipe.overfit_check,
        seed=options.seed,
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


def _examples(manifest: Manifest, cache: CanvasCache, split: str) -> Any:
    from hilum.training.datamodule import Examples

    rows = manifest.split(split)
    return Examples(cache.of(rows), manifest.labels.encode(rows["label"].tolist()).astype(np.int64))


def predict_split(run_dir: Path, manifest: Manifest, study_dir: Path, split: str, options: Options) -> Path:
    """Predicts a split with the saved model file, in one pass, and writes the predictions file.

    The model is read back from its file: what is evaluated is what a user will load.
    """
    from hilum.inference.device import choose_device
    from hilum.inference.predict import predict_logits
    from hilum.models import load_model

    model, header = load_model(run_dir / "model.safetensors", labels=manifest.labels.names)
    preprocessing = Preprocessing(**header.preprocessing)
    rows = manifest.split(split)
    canvases = open_cache(manifest, preprocessing, study_dir / "cache").of(rows)
    views = tuple(header.extras["tta"])
    logits = predict_logits(model, canvases, preprocessing, views=views, device=choose_device(options.device))
    about = {
        "model": f"{run_dir.name}/model.safetensors",
        "model_sha256": file_sha256(run_dir / "model.safetensors"),
        "manifest": manifest.fingerprint,
        "tta": list(views),
        "made": now(),
    }
    path = run_dir / f"predictions-{split}.parquet"
    Predictions.of(rows, logits, manifest.labels, **about).write(path)
    return path


def add_evaluation(run_dir: Path, split: str, options: Options) -> Evaluation:
    """Evaluates a predictions file of a run and adds the figures to its `metrics.json`."""
    from hilum.data.predictions import read_predictions

    path = run_dir / f"predictions-{split}.parquet"
    source = {"predictions": f"{run_dir.name}/{path.name}", "predictions_sha256": file_sha256(path)}
    evaluation = evaluate(read_predictions(path), seed=options.seed, replicates=options.replicates, source=source)
    metrics = run_dir / "metrics.json"
    # A new evaluation on validation is one of a new model: what an older one did on test is not this one's.
    known = read_evaluations(metrics) if metrics.exists() and split != "val" else {}
    write_evaluations(metrics, {**known, split: evaluation})
    return evaluation
