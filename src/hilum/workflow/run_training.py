"""The training of a run: networks and numbers from a Recipe, then the model file and what is learned on validation."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hilum.data.build import open_cache
from hilum.data.cache import CanvasCache
from hilum.data.manifest import Manifest
from hilum.recipes.convert import to_json
from hilum.recipes.schema import Recipe
from hilum.transforms import Preprocessing
from hilum.workflow.calibrate import calibrate_run
from hilum.workflow.elsewhere import predict_elsewhere
from hilum.workflow.gate import fit_run_gate
from hilum.workflow.network import network_of, phases_of, settings_of
from hilum.workflow.options import Options
from hilum.workflow.policy import PolicyChoice, choose_policy, describe_gain
from hilum.workflow.record import versions, write_json
from hilum.workflow.run_predictions import predict_split
from hilum.workflow.several import alone, announce

if TYPE_CHECKING:
    import torch

    from hilum.models import Classifier
    from hilum.training.datamodule import Examples
    from hilum.training.fit import FitResult


@dataclass(frozen=True)
class Training:
    """What a run trains, on what, and who is told of it.

    Args:
        run_dir: a folder below `study_dir`, which exists.
        time_budget: seconds; None = no limit.
        on_step: told (done, of how many, what) now and then.
        say: told before training which stages each phase trains, and afterwards what was noted.
        allow: guards of `hilum.models.stages.set_trained_stages` that are lifted on purpose.
        on_epoch: called after each epoch with the history so far; a HilumError that it raises fails the run.
    """

    recipe: Recipe
    manifest: Manifest
    run_dir: Path
    study_dir: Path
    options: Options
    time_budget: float | None
    on_step: Callable[[int, int, str], None]
    say: Callable[[str], None] | None = None
    allow: Collection[str] = ()
    on_epoch: Callable[[list[dict[str, Any]]], None] | None = None

    def tell(self, lines: Collection[str]) -> None:
        """Says each line, indented."""
        for line in lines:
            if self.say is not None:
                self.say(f"  {line}")


@dataclass
class _Begun:
    """A network and what it trains on."""

    model: Classifier
    preprocessing: Preprocessing
    cache: CanvasCache
    train: Examples
    val: Examples
    device: torch.device


def train_run(training: Training) -> dict[str, Any]:
    """Trains, saves the model file, predicts validation with it; returns what `environment.json` is to hold.

    Where Ctrl-C came before the first epoch had ended that is only `interrupted` and `epochs_done`.
    """
    from hilum.inference.device import choose_device
    from hilum.training.keeper import Interrupted
    from hilum.training.stage_plan import stages_of_phases

    started = time.monotonic()
    recipe, manifest, options = training.recipe, training.manifest, training.options
    model, preprocessing = network_of(recipe, manifest, options)
    planned = stages_of_phases(model, phases_of(recipe))
    training.tell([f"phase {number} of {len(planned)} {each}" for number, each in enumerate(planned, start=1)])
    resolved = {**to_json(recipe), "preprocessing": preprocessing.to_json()}
    write_json(training.run_dir / "recipe.json", resolved)
    cache = open_cache(manifest, preprocessing, training.study_dir / "cache")
    begun = _Begun(
        model, preprocessing, cache, examples_of(manifest, cache, "train"), examples_of(manifest, cache, "val"),
        choose_device(options.device),
    )  # fmt: skip
    try:
        result = _fit(training, begun)
    except Interrupted:
        return {"interrupted": True, "epochs_done": 0}
    choice = _choose_views(training, begun, result)
    _save(training, begun, resolved, choice)
    _learn_on_validation(training, begun, result)
    return {
        **_environment(recipe, model, result, options, time.monotonic() - started),
        "phases": [{"train": each.train, "stages": each.stages} for each in planned],
        "tta": list(choice.table),
    }


def _fit(training: Training, begun: _Begun) -> FitResult:
    """The phases of the recipe, after those of members that teach where it asks for some.

    Raises:
        Interrupted: Ctrl-C while the members were trained.
    """
    from hilum.training.fit import fit
    from hilum.training.loggers import make_loggers
    from hilum.training.processes import leave
    from hilum.workflow.distil import Teaching, with_soft_targets

    recipe, options, run_dir = training.recipe, training.options, training.run_dir
    teaching = Teaching(
        recipe, training.manifest, begun.cache, run_dir, options, begun.device, training.time_budget, training.on_step
    )
    with alone():
        train, taught, time_budget = with_soft_targets(teaching, begun.train, begun.val)
    study_dir, allow = training.study_dir, training.allow
    about = {"study_dir": str(study_dir), "run": run_dir.relative_to(study_dir).as_posix(), "time_budget": time_budget}
    together = announce({**about, "soft": train.soft, "allow": tuple(allow)}, options.device)
    try:
        result = fit(
            begun.model,
            train,
            begun.val,
            preprocessing=begun.preprocessing,
            phases=phases_of(recipe),
            settings=settings_of(recipe, options),
            run_dir=run_dir,
            device=begun.device,
            time_budget=time_budget,
            loggers=make_loggers(options.loggers, run_dir),
            on_step=training.on_step,
            allow=allow,
            on_epoch=training.on_epoch,
        )
    finally:
        if together:
            leave()
    result.notes.extend([taught] if taught else [])
    return result


def _choose_views(training: Training, begun: _Begun, result: FitResult) -> PolicyChoice:
    """Test-time augmentation, chosen on validation; what it gains is noted."""
    rows, options = training.manifest.split("val"), training.options
    choice = choose_policy(
        training.recipe, begun.model, begun.preprocessing, begun.cache.of(rows), rows, begun.val.targets,
        seed=options.seed, replicates=options.replicates, device=begun.device,
    )  # fmt: skip
    result.notes.extend([*choice.warnings, *([describe_gain(choice, len(rows))] if choice.table else [])])
    training.tell(result.notes)
    return choice


def _learn_on_validation(training: Training, begun: _Begun, result: FitResult) -> None:
    """Gate, predictions, temperature and operating points of the saved model, and its neighbours where asked for."""
    manifest, run_dir, options = training.manifest, training.run_dir, training.options
    rows = manifest.split("val")
    result.notes.extend(filter(None, [fit_run_gate(run_dir, manifest, begun.cache, options)]))
    predict_split(run_dir, manifest, training.study_dir, "val", options)
    predict_elsewhere(run_dir, rows, begun.cache.of(rows), manifest.labels, options.device)
    calibrate_run(run_dir, manifest, begun.cache.of(manifest.split("train")))
    notes = _classify_by_neighbors(training)
    result.notes.extend(notes)
    training.tell(notes)


def _classify_by_neighbors(training: Training) -> list[str]:
    """The k-NN that a recipe ends in, on validation; its figures in words."""
    neighbors, study_dir = training.recipe.neighbors, training.study_dir
    if neighbors is None:
        return []
    from hilum.workflow.inspect_neighbors import describe_validation, neighbors_of_run

    run = training.run_dir.relative_to(study_dir).as_posix()
    return [describe_validation(*neighbors_of_run(study_dir, run, training.manifest, training.options, neighbors))]


def _save(training: Training, begun: _Begun, resolved: dict[str, Any], choice: PolicyChoice) -> None:
    from hilum.models import save_model

    save_model(
        training.run_dir / "model.safetensors",
        begun.model,
        labels=training.manifest.labels.names,
        preprocessing=begun.preprocessing.to_json(),
        recipe=resolved,
        fingerprint=training.manifest.fingerprint,
        extras={"tta": [view.to_json() for view in choice.views], "tta_seed": training.options.seed},
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
