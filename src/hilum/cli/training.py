"""`hilum train`: one recipe, once or on folds and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.cli.terminal import Terminal, print_json, print_line, render_table
from hilum.errors import UsageError
from hilum.workflow.options import Options
from hilum.workflow.several import follow, launched, refuse_several

if TYPE_CHECKING:
    from hilum.recipes.schema import Recipe
    from hilum.workflow.folds import Repetition
    from hilum.workflow.train import Run

REJECTED, FAILED, INTERRUPTED = 3, 4, 130


def run_train_command(
    recipe: str | None,
    data: Path | None,
    options: Options,
    *,
    changes: Sequence[str],
    val_fraction: float | None,
    resume: Path | None,
    folds: int,
    seeds: int,
    as_json: bool,
) -> int:
    """Trains; returns the exit code."""
    voice = Terminal(quiet=as_json)
    if resume is not None:
        refuse_several("--resume")
        if recipe or data or changes or folds or seeds != 1:
            raise UsageError("--resume", expected="nothing beside it but --device and --time-budget", found="more")
        from hilum.workflow.train import resume_run

        return _show_run(
            resume_run(resume, device=options.device, time_budget=options.time_budget, voice=voice), as_json
        )
    if recipe is None or data is None:
        found = "neither" if recipe is None else f"only {recipe}"
        raise UsageError("hilum train", expected="RECIPE DATA, or --resume RUN", found=found)
    chosen, options = chosen_recipe(recipe, options, changes, val_fraction)
    if folds or seeds != 1 or chosen.anomaly is not None:
        refuse_several("folds and seeds" if chosen.anomaly is None else f"recipe {chosen.name}")
    if launched()[0] > 0:
        follow(chosen, options)
        return 0
    if chosen.anomaly is not None and not folds and seeds == 1:
        from hilum.cli.anomalies import run_anomaly_command
        from hilum.workflow.detect import DetectOptions

        return run_anomaly_command([chosen], data, DetectOptions(options), as_json=as_json)
    if folds or seeds != 1:
        from hilum.workflow.folds import repeat_recipe

        return _show_repetition(
            repeat_recipe(chosen, data, options, folds=folds, seeds=seeds, voice=voice), as_json=as_json
        )
    from hilum.workflow.train import train_recipe

    return _show_run(train_recipe(chosen, data, options, voice), as_json)


def chosen_recipe(
    text: str, options: Options, changes: Sequence[str], val_fraction: float | None
) -> tuple[Recipe, Options]:
    """The recipe that was named, and the options with its validation share unless another was asked for."""
    from hilum.workflow.recipe_file import find_recipe

    recipe = find_recipe(text, changes)
    share = val_fraction or recipe.val_fraction or options.val_fraction
    return recipe, replace(options, val_fraction=share)


def _show_run(run: Run, as_json: bool) -> int:
    validation = run.validation.to_json() if run.validation else None
    if as_json:
        print_json(
            {
                "run": str(run.run_dir),
                "recipe": run.recipe.name,
                "status": run.outcome.status,
                "sentence": run.outcome.sentence,
                "headline": run.headline,
                "model": str(run.model_path) if run.model_path else None,
                "validation": validation,
                "rejected": run.rejected,
            }
        )
    else:
        print_line()
        print_line(run.headline)
        if run.outcome.sentence:
            print_line(f"{run.outcome.status}: {run.outcome.sentence}")
        print_line(str(run.run_dir))
    if run.outcome.interrupted:
        return INTERRUPTED
    return REJECTED if run.rejected else 0


def _show_repetition(result: Repetition, *, as_json: bool) -> int:
    if as_json:
        runs = result.runs.astype(object).where(result.runs.notna(), None)
        document: dict[str, Any] = {
            "folder": str(result.folder),
            "recipe": result.recipe.name,
            "headline": result.headline,
            "folds": result.folds,
            "runs": runs.to_dict("records"),
            "pooled": {str(seed): each.to_json() for seed, each in result.by_seed.items()},
            "spread": result.spread,
            "rejected": result.rejected,
        }
        print_json(document)
    else:
        print_line()
        print_line(_table(result))
        print_line()
        print_line(result.headline)
        print_line(str(result.folder))
    if result.interrupted:
        return INTERRUPTED
    if not result.by_seed:
        return FAILED
    return REJECTED if result.rejected else 0


def _table(result: Repetition) -> str:
    rows: list[tuple[str, ...]] = []
    for row in result.runs.to_dict("records"):
        name = f"seed {row['seed']}" + (f", fold {row['fold']}" if result.folds else "")
        rows.append((name, row["status"], f"{row['images']:,}", f"{row['accuracy']:.3f}", f"{row['auroc']:.3f}"))
        if result.folds and row["fold"] == result.folds and row["seed"] in result.by_seed:
            pooled = result.by_seed[row["seed"]]
            figures = [pooled.overall[each] for each in ("accuracy", "auroc")]
            cells = [f"{each.value:.3f} [{each.ci_low:.3f}, {each.ci_high:.3f}]" for each in figures]
            rows.append((f"seed {row['seed']}, pooled", "", f"{pooled.images:,}", *cells))
    return render_table(rows, ("run", "status", "images", "accuracy", "AUROC"))
