"""Commands that train: study, train, tune."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import tyro

from hilum.cli.types import Device, Duration, File, Folder, Names, Pattern, Settings, Space, names_of, seconds_of


def study(
    data: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="DATA")] = None,
    /,
    *,
    labels: str = "folders",
    recipes: Names = "",
    out: Folder = None,
    time_budget: Duration = "",
    quick: bool = False,
    strict: bool = False,
    weights_dir: Folder = None,
    patient_pattern: Pattern = None,
    corrections: File = None,
    val_fraction: float = 0.2,
    test_fraction: float = 0.2,
    log: Names = "",
    device: Device = "auto",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Split, train, evaluate and report: the main job.

    Example: hilum study chest_xray --labels kermany3 --weights-dir weights

    Args:
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest;
            left out, hilum draws its own X-rays.
        labels: folders, kermany3, or a regular expression with a group named label.
        recipes: what to train, see hilum recipes; what suits the data and the machine when left out.
        out: the study's folder; runs/NAME when left out.
        time_budget: 90s, 14m or 1.5h; left out, 14m without a GPU, no limit with one, 80s for drawn X-rays.
        quick: small and short, to see whether everything works.
        strict: exit 5 when a figure cannot be trusted.
        weights_dir: a folder of pre-trained weights, one folder a model (also HILUM_WEIGHTS).
        patient_pattern: regular expression on the path; its groups make the patient key.
        corrections: a suspected-labels.csv in which you have filled in the column corrected.
        val_fraction: share of the training images that validates.
        test_fraction: share of all images that tests, where no test split is given.
        log: also log to tensorboard, mlflow or wandb.
        device: where to compute.
        seed: of everything that is drawn.
        json: print one JSON document.
    """
    from hilum.cli.studying import run_study_command
    from hilum.workflow.options import Options

    options = Options(
        labels=labels,
        recipes=names_of(recipes) or None,
        out=out,
        time_budget=seconds_of(time_budget) if time_budget else None,
        quick=quick,
        weights_dir=weights_dir,
        device=device,
        seed=seed,
        patient_pattern=patient_pattern,
        corrections=corrections,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        loggers=names_of(log),
        command=shlex.join(["hilum", *sys.argv[1:]]),
    )
    return run_study_command(data, options, strict=strict, as_json=json)


def train(
    recipe: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="RECIPE")] = None,
    data: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="DATA")] = None,
    /,
    *,
    labels: str = "folders",
    set: Settings = (),
    folds: int = 0,
    seeds: int = 1,
    resume: Annotated[Path | None, tyro.conf.arg(metavar="RUN")] = None,
    out: Folder = None,
    time_budget: Duration = "",
    weights_dir: Folder = None,
    patient_pattern: Pattern = None,
    corrections: File = None,
    val_fraction: float | None = None,
    test_fraction: float = 0.2,
    log: Names = "",
    device: Device = "auto",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Train one recipe; figures are those of validation, the test split stays shut.

    Several processes, or a GPU each: torchrun --nproc-per-node 2 -m hilum train RECIPE DATA

    Example: hilum train a-mobilenetv2 chest_xray --labels kermany3 --set phases.0.lr=1e-4

    Args:
        recipe: a name from hilum recipes, or a file of your own, ./mine.py or ./mine.json.
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest.
        labels: folders, kermany3, or a regular expression with a group named label.
        set: change one field, such as model.dropout=0.3; may be given again.
        folds: train on each of so many folds of whole patients, and pool the figures.
        seeds: train with so many seeds, and show how far the figures differ.
        resume: go on with the run in this folder, and with nothing else.
        out: the folder for manifest, cache and run; runs/NAME when left out.
        time_budget: 90s, 14m or 1.5h for everything; no limit when left out.
        weights_dir: a folder of pre-trained weights, one folder a model (also HILUM_WEIGHTS).
        patient_pattern: regular expression on the path; its groups make the patient key.
        corrections: a suspected-labels.csv in which you have filled in the column corrected.
        val_fraction: share of the training images that validates; the recipe's, else 0.2.
        test_fraction: share of all images that is kept for a test, where no test split is given.
        log: also log to tensorboard, mlflow or wandb.
        device: where to compute.
        seed: of everything that is drawn; the first one of --seeds.
        json: print one JSON document.
    """
    from hilum.cli.training import run_train_command
    from hilum.workflow.options import Options

    options = Options(
        labels=labels,
        out=out,
        time_budget=seconds_of(time_budget) if time_budget else None,
        weights_dir=weights_dir,
        device=device,
        seed=seed,
        patient_pattern=patient_pattern,
        corrections=corrections,
        test_fraction=test_fraction,
        loggers=names_of(log),
        command=shlex.join(["hilum", *sys.argv[1:]]),
    )
    return run_train_command(
        recipe,
        data,
        options,
        changes=set,
        val_fraction=val_fraction,
        resume=resume,
        folds=folds,
        seeds=seeds,
        as_json=json,
    )


def tune(
    recipe: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RECIPE")],
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATA")],
    /,
    *,
    trials: int = 20,
    space: Space = (),
    set: Settings = (),
    labels: str = "folders",
    out: Folder = None,
    time_budget: Duration = "",
    weights_dir: Folder = None,
    patient_pattern: Pattern = None,
    corrections: File = None,
    val_fraction: float | None = None,
    test_fraction: float = 0.2,
    device: Device = "auto",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Search hyper-parameters on validation; list every trial, write the winner as a recipe.

    Example: hilum tune scratch-cnn chest_xray --trials 30 --space phases.0.lr=1e-4..1e-2:log

    Args:
        recipe: a name from hilum recipes, or a file of your own.
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest.
        trials: how many in all; the same command goes on, and may run in several processes at once.
        space: FIELD=LOW..HIGH, FIELD=LOW..HIGH:log or FIELD=A,B,C; may be given again; the recipe's own when left out.
        set: change one field beforehand; may be given again.
        labels: folders, kermany3, or a regular expression with a group named label.
        out: the folder for manifest, cache and trials; runs/NAME when left out.
        time_budget: 90s, 14m or 1.5h for everything; no limit when left out.
        weights_dir: a folder of pre-trained weights, one folder a model (also HILUM_WEIGHTS).
        patient_pattern: regular expression on the path; its groups make the patient key.
        corrections: a suspected-labels.csv in which you have filled in the column corrected.
        val_fraction: share of the training images that validates; the recipe's, else 0.2.
        test_fraction: share of all images that is kept for a test, where no test split is given.
        device: where to compute.
        seed: of everything that is drawn.
        json: print one JSON document.
    """
    from hilum.cli.tuning import run_tune_command
    from hilum.workflow.options import Options

    options = Options(
        labels=labels,
        out=out,
        time_budget=seconds_of(time_budget) if time_budget else None,
        weights_dir=weights_dir,
        device=device,
        seed=seed,
        patient_pattern=patient_pattern,
        corrections=corrections,
        test_fraction=test_fraction,
        command=shlex.join(["hilum", *sys.argv[1:]]),
    )
    return run_tune_command(
        recipe,
        data,
        options,
        trials=trials,
        space=space,
        changes=set,
        val_fraction=val_fraction,
        as_json=json,
    )
